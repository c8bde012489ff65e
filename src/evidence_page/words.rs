//! The texts of a page in each of its languages.

use crate::report::{Effort, MatchKind, ReasonCode, SpanState, Verdict};

/// The language of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Arabic, from right to left.
    Ar,
}

impl Lang {
    pub(super) fn words(self) -> &'static Words {
        match self {
            Lang::En => &EN,
            Lang::Ar => &AR,
        }
    }
}

/// A table of sentences, English and Arabic side by side, so that none is missing; `{name}` stands
/// for a value.
macro_rules! words {
    ($($field:ident: $en:literal, $ar:literal;)*) => {
        pub(super) struct Words { $(pub(super) $field: &'static str,)* }
        static EN: Words = Words { $($field: $en,)* };
        static AR: Words = Words { $($field: $ar,)* };
        #[cfg(test)]
        const NAMED: &[(&str, &str, &str)] = &[$((stringify!($field), $en, $ar),)*];
    };
}

words! {
    code: "en", "ar";
    direction: "ltr", "rtl";
    page_title: "{verdict}: {name}", "{verdict}: {name}";
    colon: ": ", ": ";
    comma: ", ", "، ";
    skip: "Skip to the matches", "انتقل إلى التطابقات";
    answer: "Answer", "النتيجة";
    unpublished: "Unpublished", "غير منشور";
    partly_published: "Partly published", "منشور جزئيًا";
    published: "Published", "منشور";
    inconclusive: "Inconclusive", "غير محسوم";
    unsearchable: "Unsearchable", "غير قابل للبحث";
    scope: "an index of {videos} published videos ({hours})", "فهرس للمقاطع المنشورة (عددها {videos}، ومدتها {hours})";
    says_unpublished: "No second of this clip was found in {scope}.", "لم يُعثر على أي ثانية من هذا المقطع في {scope}.";
    says_partly: "{found} of {whole} were found in {scope}.", "عُثر على {found} من أصل {whole} في {scope}.";
    says_published: "All that can be judged, {found} of {whole}, was found in {scope}.", "كل ما يمكن الحكم عليه منه، أي {found} من أصل {whole}، موجود في {scope}.";
    says_inconclusive: "The check cannot say whether this clip is in {scope}.", "لا يمكن القول هل هذا المقطع موجود في {scope}.";
    payable: "Payable", "المستحق للدفع";
    provisional: "Provisionally payable, until the clip itself is checked", "مستحق مبدئيًا إلى أن يُفحص المقطع نفسه";
    minutes: "{n} min", "{n} دقيقة";
    seconds: "{n} s", "{n} ث";
    hours: "{n} h", "{n} س";
    reasons: "Why", "الأسباب";
    reason_seconds: "{reason} ({seconds})", "{reason} ({seconds})";
    the_clip: "The clip", "المقطع";
    file: "File", "الملف";
    length: "Length", "المدة";
    picture_size: "Picture", "الصورة";
    format: "Format", "الصيغة";
    sha256: "SHA-256", "SHA-256";
    timeline_of_clip: "Time line of the clip", "الخط الزمني للمقطع";
    timeline_of_source: "Time line of the source", "الخط الزمني للمصدر";
    timeline_hint: "Colours and patterns mean the same as in the table below. Each part leads to its row.", "للألوان والنقوش معنى واحد هنا وفي الجدول أدناه، وكل جزء يقود إلى صفه.";
    table_of_parts: "Table of the parts", "جدول الأجزاء";
    part: "Part", "الجزء";
    from_to: "From – to", "من – إلى";
    state: "State", "الحالة";
    reason: "Reason", "السبب";
    matched_with: "Match", "التطابق";
    more_rows: "{n} more parts are not listed: see --json.", "أجزاء أخرى غير مدرجة (عددها {n}): انظر --json.";
    matches: "Where it was found", "أين وُجد";
    no_matches: "Nothing that counts was found.", "لم يُعثر على شيء يُحتسب.";
    copy: "The same recording", "التسجيل نفسه";
    same_scene: "The same scene at another moment: not counted as published", "المشهد نفسه في لحظة أخرى: لا يُحتسب منشورًا";
    undecided: "The same scene, and perhaps the same recording: undecided", "المشهد نفسه وربما التسجيل نفسه: لم يُحسم";
    nearest: "The nearest non-match", "أقرب شيء ليس تطابقًا";
    nearest_says: "Of everything else in the index, this resembled the clip most, but not enough. See whether you agree.", "هذا أشبه ما في الفهرس بالمقطع بعد ما سبق، ولم يكن كافيًا. انظر هل توافق.";
    nearest_same: "It is at another time in a source that already matches above: footage often resembles itself.", "هو في مصدر ظهر له تطابق أعلاه، لكن في وقت آخر: كثيرًا ما يشبه التصوير نفسه.";
    no_nearest: "Nothing else in the index resembled the clip at all.", "لم يشبهه شيء آخر في الفهرس البتة.";
    found_as: "{clip} of the clip is {source} of {name}", "{clip} من المقطع هو {source} من {name}";
    compared_as: "{clip} of the clip against {source} of {name}", "{clip} من المقطع مقابل {source} من {name}";
    identical: "The two files are the same, byte for byte.", "الملفان متطابقان بايتًا ببايت.";
    probability: "The probability that this is a copy is {p}.", "احتمال أن يكون هذا نسخة هو {p}.";
    more_than: "more than {p}", "أكثر من {p}";
    less_than: "less than {p}", "أقل من {p}";
    evidence: "{total} bits of evidence that the scene is the same, {moment} of them for this very moment, from {hits} matching details.", "الدليل على أن المشهد واحد {total} بت، منها {moment} تخص هذه اللحظة بعينها، من مواضع متفقة عددها {hits}.";
    pictures_say: "What moves correlates by {correlation} (1 is identical), over {share} of the motion.", "ما يتحرك في الصور مترابط بمقدار {correlation} (1 يعني التساوي) على {share} منه.";
    list_says: "What the list of sources says about it", "ما تقوله قائمة المصادر عنه";
    list_claims: "These claims come from the list. Nothing here has checked them.", "هذه أقوال القائمة، ولم يتحقق منها أحد هنا.";
    title: "Title", "العنوان";
    address: "Address", "الرابط";
    uploader: "Published by", "الناشر";
    platform: "Platform", "المنصة";
    published_at: "Published on", "تاريخ النشر";
    unknown: "not known", "غير معروف";
    edits: "What was done to the picture", "ما جرى على الصورة";
    edit_none: "nothing visible", "لا شيء ظاهر";
    edit_mirrored: "mirrored", "معكوسة يمينًا ويسارًا";
    edit_turned: "turned by {degrees}", "مدارة بمقدار {degrees}";
    edit_negative: "bright and dark exchanged", "الفاتح والداكن متبادلان";
    edit_stretched: "stretched", "ممطوطة";
    edit_slanted: "slanted", "مائلة";
    edit_backwards: "backwards", "معكوسة زمنيًا";
    edit_speed: "{n} times the speed", "بسرعة {n} مرة";
    edit_crop: "shows {width} × {height} of the source's frame", "تُظهر {width} × {height} من إطار المصدر";
    edit_inset: "the source fills {width} × {height} of the clip's frame", "يملأ المصدر {width} × {height} من إطار المقطع";
    frames: "Frames side by side", "إطارات جنبًا إلى جنب";
    frames_hint: "The dashed box is the part that both show. In the middle you can lay the clip over the source. The right picture shows where they differ once brightness and contrast are matched: black is equal, white differs. All frames of the source are shifted by the same time, up to 0.2 s, to where they agree best.", "الإطار المتقطع هو الجزء الذي يظهر في الاثنين. في الوسط يمكن وضع المقطع فوق المصدر. وتُظهر الصورة الأخيرة مواضع الاختلاف بعد مساواة السطوع والتباين: الأسود متساوٍ والأبيض مختلف. وتُزاح إطارات المصدر كلها معًا بما لا يزيد على 0.2 ث إلى حيث تتفق أكثر.";
    pair: "Pair {n}", "الزوج {n}";
    frame_of_clip: "Clip at {time}", "المقطع عند {time}";
    frame_of_source: "Source at {time}", "المصدر عند {time}";
    laid_over: "Clip laid over the source", "المقطع فوق المصدر";
    show: "Show in the middle", "اعرض في الوسط";
    show_source: "Source", "المصدر";
    show_clip: "Clip", "المقطع";
    show_blink: "Blink", "تبديل";
    difference: "Difference: {share} on average", "الفرق: {share} في المتوسط";
    no_frames_clip: "The clip's frames are not shown: {why}.", "لا تُعرض إطارات المقطع: {why}.";
    no_frames_source: "The source's frames are not shown: {why}.", "لا تُعرض إطارات المصدر: {why}.";
    why_fingerprint: "a fingerprint was checked, not the clip", "فُحصت البصمة لا المقطع";
    why_not_at_hand: "the file is not available", "الملف غير متاح";
    why_changed: "the file at that place has been replaced", "الملف في ذلك الموضع صار غيره";
    why_no_pictures: "the file is gone, and the index keeps no pictures of it", "الملف غير موجود، والفهرس لا يحفظ صورًا منه";
    why_unreadable: "they cannot be decoded ({error})", "تعذر فكها ({error})";
    why_room: "the page is full", "الصفحة كبيرة بما يكفي بما سبق";
    why_certificate: "a certificate holds no pictures; uniq check --html shows them", "الشهادة لا تحوي صورًا؛ يعرضها uniq check --html";
    from_index: "The source's file is gone or has changed. These are the small grey pictures that the index keeps.", "ملف المصدر غير موجود أو تغيّر. هذه صور رمادية صغيرة يحفظها الفهرس.";
    terms: "For and against", "ما يؤيد وما يعارض";
    terms_hint: "Each bit doubles or halves the odds of a copy. Added up: {bits} bits, odds of {odds}.", "كل بت يضاعف رجحان النسخ أو ينصّفه. المجموع {bits} بت، أي رجحان {odds}.";
    term: "Measured", "المقيس";
    bits: "Bits", "بت";
    more_sources: "Further sources show the same parts: {n}.", "مصادر أخرى تُظهر الأجزاء نفسها: {n}.";
    more_matches: "Further matches are not listed here: {n}. See --json.", "تطابقات أخرى غير مدرجة هنا: {n}. انظر --json.";
    unsearchable_parts: "Parts that cannot be searched", "أجزاء لا يمكن البحث عنها";
    unsearchable_says: "Nothing is paid for these parts; this is not a finding against them.", "لا يُدفع عن هذه الأجزاء، ولا يقال عنها شيء.";
    no_frame: "no frame", "لا إطار";
    frame_at: "Frame at {time}", "الإطار عند {time}";
    streams: "Video streams of the file", "مسارات الفيديو في الملف";
    stream: "Stream {n}", "المسار {n}";
    how: "How this was found", "كيف عُرف هذا";
    index_root: "Index", "الفهرس";
    index_state: "generation {generation}, root {root}", "الجيل {generation}، الجذر {root}";
    committed_at: "Index of", "تاريخ الفهرس";
    checked_at: "Checked", "وقت الفحص";
    tool: "Program", "البرنامج";
    search: "Search", "البحث";
    search_exact: "every key was compared", "قورنت كل المفاتيح";
    search_screened: "not every key was compared", "لم تُقارن كل المفاتيح";
    effort: "Effort", "الجهد";
    effort_fast: "fast", "سريع";
    effort_standard: "standard", "معتاد";
    effort_thorough: "thorough", "شامل";
    decided_by: "Decision", "القرار";
    limits_of_probability: "Copy from a probability of {published}, payable up to one of {payable}", "نسخة من احتمال {published} فما فوق، ومستحق حتى احتمال {payable}";
    limits: "What this does and does not say", "ما يقوله هذا وما لا يقوله";
    limits_index: "“Unpublished” means that the clip was not found in this index. It does not prove that the clip is not public elsewhere.", "«غير منشور» يعني أن المقطع لم يوجد في هذا الفهرس، وليس دليلًا على أنه لم يُنشر في أي مكان.";
    limits_first: "A match does not say who had the recording first.", "التطابق لا يقول من كان التسجيل عنده أولًا.";
    privacy: "Of the clip, this page contains only the frames shown here.", "لا تحوي هذه الصفحة من المقطع إلا الإطارات المعروضة فيها.";
    certificate: "Certificate", "شهادة";
    certificate_unverified: "This is what the certificate claims. Nothing here has verified it; verify it with: uniq certificate verify.", "هذا ما تدّعيه الشهادة، ولم يتحقق منه شيء هنا: uniq certificate verify.";
    signed_by: "Signed by key", "المفتاح الموقِّع";
    result_digest: "Digest of the result", "ملخص النتيجة";
    duplicates: "Duplicates", "المكررات";
    no_duplicates: "No duplicates", "لا مكررات";
    duplicates_says: "{clips} clips were compared. Pairs that share footage: {n}. Nothing was deleted.", "قورنت مقاطع عددها {clips}. أزواج تشترك في تسجيل: {n}. لم يُحذف شيء.";
    extent_identical: "Proposed: keep {keep}; {member} is the same file.", "المقترح: الاحتفاظ بالملف {keep}؛ فالملف {member} مطابق له.";
    extent_whole: "Proposed: keep {keep}; it has all of {member} ({copied}).", "المقترح: الاحتفاظ بالملف {keep}؛ ففيه كل ما في {member} ({copied}).";
    extent_part: "{keep} has {copied} of {member}; the other {rest} are nowhere else, so keep both.", "في {keep} من {member} ما مدته {copied}؛ والباقي {rest} ليس في غيره، فاحتفظ بكليهما.";
    failed: "Files that could not be read: {n}. See the program's messages.", "ملفات تعذرت قراءتها: {n}. انظر رسائل البرنامج.";
    amount: "Amount", "المبلغ";
    withheld: "Withheld", "المحجوز";
    priced_part: "Priced part", "جزء مسعّر";
    no_class: "no class fits", "لا فئة تناسبه";
    rate_card: "Rate card (SHA-256)", "لائحة الأسعار (SHA-256)";
    quality: "Quality", "الجودة";
    resolution: "Resolution", "الدقة";
    resolution_native: "{lines} lines, native ({sure} sure)", "{lines} سطرًا، أصلية (اليقين {sure})";
    resolution_upscaled: "{lines} lines, upscaled from {native} ({sure} sure)", "{lines} سطرًا، مكبّرة من {native} (اليقين {sure})";
    resolution_undecided: "{lines} lines; unclear whether native", "{lines} سطرًا؛ ولا يُعرف هل هي أصلية";
    frame_rate: "Frames a second", "الإطارات في الثانية";
    rate_full: "{stored}, all distinct", "{stored}، كلها مختلفة";
    rate_fewer: "{stored}, of which {distinct} are distinct", "{stored}، منها {distinct} مختلفة";
    rate_undecided: "{stored}; unclear how many are distinct", "{stored}؛ ولا يُعرف كم منها مختلف";
    overlays: "Burnt-in logos and captions", "الشعارات والنصوص المدمجة";
    dark: "Dark share", "النسبة المعتمة";
    blurred: "Blurred share", "النسبة المشوشة";
    shaken: "Unsteady share", "النسبة المهتزة";
    frozen: "Share that stands still", "النسبة الثابتة";
    declared: "Declared origin (C2PA)", "المنشأ المصرح به (C2PA)";
    no_declaration: "no declaration, which proves nothing", "لا تصريح، وهذا لا يثبت شيئًا";
    declaration_unverified: "a declaration whose signature was not verified", "تصريح لم يُتحقق من توقيعه";
    declaration_unreadable: "a declaration that cannot be read", "تصريح تتعذر قراءته";
    generated_partly: "partly made by a model", "صنع نموذجٌ بعضه";
    generated_wholly: "wholly made by a model", "صنعه نموذج كله";
    training_allowed: "training is allowed", "التدريب مسموح";
    training_constrained: "training is allowed under conditions", "التدريب مسموح بشروط";
    training_not_allowed: "training is not allowed, which contradicts a sale", "التدريب غير مسموح، وهذا يناقض البيع";
    camera: "Camera, according to the file", "الكاميرا بحسب الملف";
    recorded_at: "Recorded, according to the file", "وقت التسجيل بحسب الملف";
    submission: "Submission", "التقديم";
    number: "Number", "الرقم";
    creator: "Creator", "صاحب المقطع";
    received_at: "Received", "وقت الاستلام";
    sold: "Sold", "المبيع";
    deducted: "Deducted", "المخصوم";
    deduction: "{interval}: {reason}", "{interval}: {reason}";
    deduction_of: "{interval}: {reason}, submission {number} by {by}", "{interval}: {reason}، التقديم {number} من {by}";
    deducted_already_offered: "the same creator offered it before", "قدّمه صاحبه من قبل";
    deducted_disputed: "another creator offered it before", "قدّمه صاحب مقطع آخر من قبل";
    deducted_undecided: "perhaps an earlier submission shows it; a person must decide", "ربما يظهر في تقديم سابق، والقرار لشخص";
    deducted_published: "an earlier submission shows that it is public", "يبين تقديم سابق أنه منشور";
    deducted_sold: "a later submission was already paid for it", "دُفع ثمنه من قبل لتقديم لاحق";
    deducted_remainder: "too short to judge next to the deducted part", "أقصر من أن يُحكم عليه بجوار ما خُصم";
    related_submissions: "Same scene in earlier submissions", "المشهد نفسه في تقديمات سابقة";
    pair_of: "{first} and {second}", "{first} و{second}";
    term_base: "before any measurement", "قبل أي قياس";
    term_evidence: "details that agree in time and place", "تفاصيل متفقة في الزمان والمكان";
    term_moment: "details of this very moment", "تفاصيل هذه اللحظة بعينها";
    term_timing: "agreement in time alone", "الاتفاق في الزمن وحده";
    term_motion: "motion, in bits", "الحركة بالبت";
    term_motion_correlation: "correlation of motion", "ترابط الحركة";
    term_motion_margin: "motion here compared with elsewhere", "الحركة هنا مقابل غيرها";
    term_shown: "visible share of the source", "نسبة ما يظهر من المصدر";
    term_correlation: "correlation of moving content", "ترابط المحتوى المتحرك";
    term_lowest_pictures: "the pictures that agree least", "أقل الصور اتفاقًا";
    term_agreeing_cells: "parts of the frame that agree", "أجزاء الإطار المتفقة";
    term_slowness: "similarity of neighbouring moments", "تشابه اللحظات المتجاورة";
    term_still_parts: "still parts", "الأجزاء الساكنة";
    term_compared_motion: "share of motion that was compared", "نسبة الحركة المقارنة";
    term_compared_area: "share of the frame that was compared", "نسبة الإطار المقارنة";
    term_pictures: "number of pictures compared", "عدد الصور المقارنة";
    term_activity: "how much moves", "مقدار الحركة";
    term_identical: "the same file", "الملف نفسه";
    term_chance: "no more than chance would give", "الصدفة تعطي مثله";
    why_copy: "it was published", "نُشر من قبل";
    why_same_scene: "it shows the scene of a source at another moment", "يُظهر مشهد مصدر في لحظة أخرى";
    why_black: "the picture is black", "الصورة سوداء";
    why_flat: "the picture has no contrast", "الصورة بلا تباين";
    why_frozen: "the picture stands still", "الصورة ثابتة";
    why_simple: "the picture has too little structure", "تفاصيل الصورة قليلة جدًا";
    why_still: "it is a still picture", "صورة ساكنة";
    why_indistinct: "too few distinctive details to recognise a copy", "تفاصيل مميزة أقل مما يكفي للتعرف على نسخة";
    why_undecided: "it resembles a source and may be a copy: undecided", "يشبه مصدرًا، ولا يمكن الجزم بأنه نسخة";
    why_quick_cuts: "its shots are too short to recognise", "لقطاته أقصر من أن تُعرف";
    why_repeated: "it repeats an earlier part of the clip", "أظهره المقطع من قبل";
    why_treated: "the picture is too altered, fine or noisy to recognise a copy", "الصورة معدّلة أو دقيقة التفاصيل أو مشوّشة إلى حد لا يسمح بالتعرف على نسخة منها";
    why_short: "it is too short to judge", "أقصر من أن يُحكم عليه";
    why_benign: "it shows material that is marked as benign", "يُظهر مادة معلّمة بأنها لا تثبت شيئًا";
    why_beside: "next to a copy; too little evidence to decide", "بجوار نسخة؛ والدليل أقل من أن يحسم";
    why_undecoded: "no frame could be decoded", "لا توجد صورة";
    why_streams: "the file has several pictures, and the worst decides", "في الملف أكثر من صورة، والأسوأ هو الحاسم";
    why_empty_index: "the index holds no videos", "الفهرس خالٍ من المقاطع";
    why_no_match: "it was searched and not found", "بُحث عنه ولم يُعثر عليه";
}

impl Words {
    pub(super) fn verdict(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Unpublished => self.unpublished,
            Verdict::PartlyPublished => self.partly_published,
            Verdict::Published => self.published,
            Verdict::Inconclusive => self.inconclusive,
        }
    }

    pub(super) fn state_of(&self, state: SpanState) -> &'static str {
        match state {
            SpanState::Published => self.published,
            SpanState::Unpublished => self.unpublished,
            SpanState::Unsearchable => self.unsearchable,
        }
    }

    pub(super) fn kind(&self, kind: Option<MatchKind>) -> &'static str {
        match kind {
            Some(MatchKind::Copy) => self.copy,
            Some(MatchKind::SameScene) => self.same_scene,
            Some(MatchKind::Undecided) => self.undecided,
            None => self.nearest,
        }
    }

    pub(super) fn effort_of(&self, effort: Effort) -> &'static str {
        match effort {
            Effort::Fast => self.effort_fast,
            Effort::Standard => self.effort_standard,
            Effort::Thorough => self.effort_thorough,
        }
    }

    /// The sentence of a code; `None` if only the reason's own text explains it.
    pub(super) fn reason_of(&self, code: ReasonCode) -> Option<&'static str> {
        Some(match code {
            ReasonCode::Copy => self.why_copy,
            ReasonCode::SameScene => self.why_same_scene,
            ReasonCode::Black => self.why_black,
            ReasonCode::Flat => self.why_flat,
            ReasonCode::Frozen => self.why_frozen,
            ReasonCode::Simple => self.why_simple,
            ReasonCode::Still => self.why_still,
            ReasonCode::Indistinct => self.why_indistinct,
            ReasonCode::Undecided => self.why_undecided,
            ReasonCode::QuickCuts => self.why_quick_cuts,
            ReasonCode::Repeated => self.why_repeated,
            ReasonCode::Treated => self.why_treated,
            ReasonCode::FromFingerprint => self.why_fingerprint,
            ReasonCode::Short => self.why_short,
            ReasonCode::Benign => self.why_benign,
            ReasonCode::Beside => self.why_beside,
            ReasonCode::Undecoded => self.why_undecoded,
            ReasonCode::Streams => self.why_streams,
            ReasonCode::EmptyIndex => self.why_empty_index,
            ReasonCode::NoMatch => self.why_no_match,
            ReasonCode::NotAllowed => self.training_not_allowed,
            #[allow(unreachable_patterns)]
            _ => return None,
        })
    }

    /// What a term of the model measures; `None` for an unknown name.
    pub(super) fn term_of(&self, name: &str) -> Option<&'static str> {
        Some(match name {
            "base" => self.term_base,
            "evidence" => self.term_evidence,
            "moment" => self.term_moment,
            "timing" => self.term_timing,
            "motion" => self.term_motion,
            "motion_correlation" => self.term_motion_correlation,
            "motion_margin" => self.term_motion_margin,
            "shown" => self.term_shown,
            "correlation" => self.term_correlation,
            "lowest_pictures" => self.term_lowest_pictures,
            "agreeing_cells" => self.term_agreeing_cells,
            "slowness" => self.term_slowness,
            "still_parts" => self.term_still_parts,
            "compared_motion" => self.term_compared_motion,
            "compared_area" => self.term_compared_area,
            "pictures" => self.term_pictures,
            "activity" => self.term_activity,
            "identical" => self.term_identical,
            "chance" => self.term_chance,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_take_the_same_values_and_none_lacks_a_sentence() {
        let places = |sentence: &str| {
            let mut found: Vec<String> = sentence
                .split('{')
                .skip(1)
                .map(|rest| rest.split('}').next().unwrap().to_owned())
                .collect();
            found.sort();
            found
        };
        for (name, en, ar) in NAMED {
            assert!(!en.is_empty() && !ar.is_empty(), "{name}");
            assert_eq!(places(en), places(ar), "{name}");
        }
    }

    #[test]
    fn every_term_of_the_model_has_words() {
        use crate::verdict::Model;
        let names = ["base", "identical", "chance"];
        assert!(names.iter().all(|name| EN.term_of(name).is_some()));
        let report = super::super::testing::report();
        assert!(
            !Model::default().pictures.trees.is_empty()
                && !report.matches[0].alignment.terms.is_empty()
        );
        for term in &report.matches[0].alignment.terms {
            assert!(
                EN.term_of(&term.name).is_some() && AR.term_of(&term.name).is_some(),
                "{}",
                term.name
            );
        }
    }
}
