//! The texts of the pages in each language.

use uniq::evidence_page::Lang;

pub(super) fn of(lang: Lang) -> &'static Words {
    match lang {
        Lang::En => &EN,
        Lang::Ar => &AR,
    }
}

/// A table of sentences, English and Arabic side by side, so that none is missing; `{name}` stands
/// for a value.
macro_rules! words {
    ($($field:ident: $en:literal, $ar:literal;)*) => {
        #[derive(Debug)]
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
    brand: "uniq review", "مراجعة uniq";
    skip: "Skip to the content", "انتقل إلى المحتوى";
    navigation: "Pages", "الصفحات";
    queue: "Queue", "قائمة الانتظار";
    log_in: "Log in", "تسجيل الدخول";
    log_out: "Log out", "تسجيل الخروج";
    logged_in: "Reviewer: {name}, tenant {tenant}", "المراجع: {name}، الجهة {tenant}";
    key: "Review key", "مفتاح المراجعة";
    key_hint: "An API key with the scope review. It begins with uniq_.", "مفتاح برمجي صلاحيته review. يبدأ بـ uniq_.";
    key_refused: "This key is invalid, revoked or without the scope review. Check it, or ask an administrator for another.", "هذا المفتاح غير صالح أو أُلغي أو لا يسمح بالمراجعة. تحقق منه أو اطلب غيره من المسؤول.";
    at_provider: "Log in with your organisation", "الدخول عبر حساب مؤسستك";
    or: "or", "أو";
    queue_says: "{count} submissions, in order of money times doubt, largest first.", "عدد المقاطع {count}، والأعلى في حاصل المال مضروبًا في الشك أولًا.";
    queue_says_one: "One submission.", "مقطع واحد.";
    queue_empty: "Nothing here waits for you.", "لا شيء هنا في انتظارك.";
    queue_empty_hint: "Choose another state or verdict above to see other submissions.", "اختر حالة أو نتيجة أخرى أعلاه لعرض مقاطع أخرى.";
    still_weighing: "More submissions are being ranked; load the page again in a moment.", "ما زال تقدير مقاطع أخرى جاريًا؛ أعد تحميل الصفحة بعد قليل.";
    filter: "Filter", "تصفية";
    show: "Show", "اعرض";
    state: "State", "الحالة";
    all: "All", "الكل";
    stand_open: "Not reviewed", "لم تُراجع بعد";
    stand_waiting: "Waits for a second person", "تنتظر شخصًا ثانيًا";
    stand_disputed: "Disputed", "متنازع عليها";
    stand_accepted: "Accepted", "مقبولة";
    stand_closed: "Withdrawn", "مسحوبة";
    verdict: "Verdict", "النتيجة";
    unpublished: "Unpublished", "غير منشور";
    partly_published: "Partly published", "منشور جزئيًا";
    published: "Published", "منشور";
    inconclusive: "Inconclusive", "غير محسوم";
    clip: "Clip", "المقطع";
    at_stake: "At stake", "على المحك";
    doubt: "Doubt", "الشك";
    received: "Received", "استُلم";
    opened_by: "Opened by", "مفتوح لدى";
    until: "{name}, until {time}", "{name}، حتى {time}";
    you: "You", "أنت";
    minutes: "{n} min", "{n} دقيقة";
    doubt_undecided: "undecided match", "تطابق غير محسوم";
    doubt_disputed: "disputed seconds", "ثوانٍ متنازع عليها";
    doubt_near: "near the limits", "قريب من الحدود";
    doubt_inconclusive: "inconclusive", "غير محسوم";
    doubt_waiting: "waits for a second person", "ينتظر شخصًا ثانيًا";
    doubt_held: "disputed by a reviewer", "اعترض عليه مراجع";
    how_order: "How the order is made", "كيف رُتبت القائمة";
    how_money: "Money: the minutes that are payable or withheld (unpublished, published or undecided), at the price of the rate card; without one, each minute counts 1.", "المال: الدقائق المستحقة أو المحجوزة (غير المنشورة والمنشورة وغير المحسومة) بسعر جدول الأسعار؛ ومن دونه تُحسب كل دقيقة 1.";
    how_doubt: "Doubt, from 0 to 100 %. Each of these takes its share of the remaining certainty: the share of undecided seconds; the share that an earlier submission withholds; how near the limits the probability of an unjudged match is; 50 % for an inconclusive verdict; 50 % for a decision that waits for a second person; 100 % for a dispute.", "الشك من 0 إلى 100 %: يأخذ كل مما يلي حصته مما بقي من اليقين: نسبة الثواني غير المحسومة؛ ونسبة ما يحجزه مقطع سابق؛ ومدى قرب احتمال تطابق لم يُحكم فيه من الحدود؛ و50 % للنتيجة غير المحسومة؛ و50 % لقرار ينتظر شخصًا ثانيًا؛ و100 % للاعتراض.";
    how_accepted: "Accepted submissions have no doubt and come last.", "ما قبله شخص لا شك فيه، ويأتي في الآخر.";
    previous_page: "Previous page", "الصفحة السابقة";
    next_page: "Next page", "الصفحة التالية";
    page_of: "Page {page} of {pages}", "الصفحة {page} من {pages}";
    back: "Back to the queue", "العودة إلى القائمة";
    on_page: "On this page", "في هذه الصفحة";
    particulars: "Particulars", "التفاصيل";
    submission: "Submission {number}", "المقطع رقم {number}";
    by: "by {creator}", "من {creator}";
    creator: "Creator", "صاحب المقطع";
    reference: "Reference", "المرجع";
    length: "Length", "المدة";
    size: "Size", "الحجم";
    bytes: "{n} bytes", "{n} بايت";
    sha256: "SHA-256", "SHA-256";
    kind: "Kind", "النوع";
    kind_clip: "The clip itself", "المقطع نفسه";
    kind_fingerprint: "A fingerprint of the clip", "بصمة المقطع";
    payable: "Payable", "المستحق";
    provisional: "Provisional", "مبدئي";
    sold: "Sold", "المُباع";
    amount: "Amount", "المبلغ";
    certificate: "Certificate", "الشهادة";
    issued: "Issued", "صدرت";
    not_issued: "None", "لا توجد";
    reasons: "Why", "الأسباب";
    evidence: "Evidence", "الأدلة";
    evidence_hint: "Frames of the clip beside those of the sources, at the same moments.", "لقطات من المقطع بجانب لقطات المصادر في اللحظات نفسها.";
    evidence_alone: "Open the evidence as a page of its own", "افتح الأدلة في صفحة مستقلة";
    evidence_title: "Evidence page", "صفحة الأدلة";
    whole: "The whole submission", "المقطع كله";
    whole_hint: "Accept: you have looked, and agree with the answer. Dispute: the submission cannot be sold until the dispute is undone or the answer is accepted.", "القبول: اطّلعت عليه وتوافق على النتيجة كما هي. الاعتراض: يُمنع بيعه إلى أن يُلغى الاعتراض أو يُقبل.";
    decision: "Decision", "القرار";
    reason: "Reason", "السبب";
    reason_hint: "For the log, up to 500 characters.", "للسجل، 500 حرف على الأكثر.";
    record: "Record the decision", "سجّل القرار";
    verb_accept: "Accept", "قبول";
    verb_dispute: "Dispute", "اعتراض";
    verb_withdraw: "Withdraw", "سحب";
    verb_sold: "Sold", "بيع";
    verb_copy: "Copy", "نسخة";
    verb_same_scene: "Same scene", "المشهد نفسه";
    verb_allowed: "Allowed", "مسموح به";
    verb_same: "Same", "الشيء نفسه";
    verb_distinct: "Distinct", "مختلفان";
    verb_undo: "Undo", "إلغاء";
    verb_confirm: "Confirm", "تأكيد";
    verb_refuse: "Refuse", "رفض";
    means_accept: "you have looked and agree", "اطّلعت وتوافق";
    means_dispute: "it cannot be sold for now", "يُمنع بيعه";
    means_withdraw: "take it back for good; its claims end and its clip is deleted", "يُسحب نهائيًا؛ تنتهي مطالباته ويُحذف مقطعه";
    means_sold: "its seconds were bought; cannot be undone", "اشتُري ما يعرضه؛ ولا يمكن إلغاء ذلك";
    means_copy: "the same recording; its seconds are public", "التسجيل نفسه؛ ثوانيه منشورة";
    means_same_scene: "another take; withholds nothing", "تصوير آخر؛ لا يحجز شيئًا";
    means_allowed: "the creator’s own publication, or licensed; withholds nothing", "نشرُ صاحب المقطع نفسه أو بترخيص؛ لا يحجز شيئًا";
    means_same: "the same recording; the earlier one was first", "التسجيل نفسه؛ والأسبق أولى";
    means_distinct: "two different recordings", "تسجيلان مختلفان";
    matches: "Matches with public sources", "التطابقات مع مصادر منشورة";
    no_matches: "There is none.", "لا يوجد.";
    match_n: "Match {n}", "التطابق {n}";
    kind_copy: "Copy", "نسخة";
    kind_same_scene: "Same scene", "المشهد نفسه";
    kind_undecided: "Undecided", "غير محسوم";
    of_source: "in {source}", "في {source}";
    clip_time: "In the clip", "في المقطع";
    source_time: "In the source", "في المصدر";
    other_time: "In the earlier one", "في الأسبق";
    from_to: "{start} to {end}", "من {start} إلى {end}";
    probability: "Probability of a copy", "احتمال النسخ";
    evidence_bits: "Evidence", "قوة الدليل";
    bits: "{n} bits", "{n} بت";
    address: "Address", "العنوان";
    uploader: "Uploaded by", "نشره";
    published_at: "Published", "تاريخ النشر";
    identical: "identical file", "ملف مطابق تمامًا";
    mirrored: "mirrored", "معكوس";
    said: "{who} decided: {what}. {why}", "قرر {who}: {what}. {why}";
    waits_here: "A decision waits for a second person: {what}, by {who}.", "قرار ينتظر شخصًا ثانيًا: {what}، من {who}.";
    pairs: "Earlier submissions that it resembles", "مقاطع سابقة تشبهه";
    pair_with: "With submission {number}", "مع المقطع رقم {number}";
    deductions: "Not payable because of earlier submissions", "غير مستحق بسبب مقاطع سابقة";
    deducted_already_offered: "the same creator offered it before", "عرضه صاحبه نفسه من قبل";
    deducted_disputed: "another creator offered it before", "عرضه غيره من قبل";
    deducted_undecided: "it was perhaps offered before; a person must decide", "ربما عُرض من قبل؛ وعلى شخص أن يقرر";
    deducted_published: "another submission shows that it is public", "يُظهر مقطع آخر أنه منشور";
    deducted_sold: "another submission was already paid for it", "دُفع ثمنه لمقطع آخر";
    deducted_remainder: "too short to judge next to the deducted part", "أقصر من أن يُحكم فيه بجانب ما خُصم";
    in_submission: "submission {number}", "المقطع رقم {number}";
    waiting: "Decisions that wait for a second person", "قرارات تنتظر شخصًا ثانيًا";
    own_waits: "You made this decision, so another person must confirm it. You can take it back.", "هذا قرارك: على شخص آخر أن يؤكده. يمكنك أن تتراجع عنه.";
    take_back: "Take it back", "تراجع عنه";
    log: "Log", "السجل";
    log_hint: "Nothing is ever removed from the log.", "لا يُحذف منه شيء أبدًا.";
    log_empty: "Nobody has decided anything yet.", "لم يقرر أحد شيئًا بعد.";
    when: "When", "متى";
    who: "Who", "من";
    what: "What", "ماذا";
    why: "Why", "لماذا";
    now: "Now", "الآن";
    holds: "Holds", "سارٍ";
    waits: "Waits", "ينتظر";
    no_more: "No longer", "لم يعد ساريًا";
    of_match: "{what}: {source}, {start} to {end}", "{what}: {source}، من {start} إلى {end}";
    of_pair: "{what}: with submission {number}", "{what}: مع المقطع رقم {number}";
    of_row: "{verb} of: {what}", "{verb}: {what}";
    undo_this: "Undo this decision", "ألغِ هذا القرار";
    done: "Recorded: {what}.", "سُجّل: {what}.";
    done_waits: "Recorded: {what}. It holds once another person confirms it.", "سُجّل: {what}. يسري بعد أن يؤكده شخص آخر.";
    opened_elsewhere: "{name} has this submission open until {time}. To avoid two decisions, take it over before you decide.", "هذا المقطع مفتوح لدى {name} حتى {time}. حتى لا يقرر شخصان الشيء نفسه، لا تقرر إلا بعد أن تتسلمه.";
    take_over: "Take it over", "تسلّمه";
    opened_here: "It is yours until {time}.", "هو لديك حتى {time}.";
    leave: "Leave it to others", "اتركه لغيرك";
    no_answer: "This submission has no answer, so there is nothing to decide.", "ليس لهذا المقطع نتيجة، فلا شيء يُقرَّر.";
    keys: "Keyboard", "لوحة المفاتيح";
    keys_hint: "With the keys that your browser uses for access keys (often Alt, Alt+Shift or Control+Option):", "مع المفاتيح التي يستعملها متصفحك لمفاتيح الوصول (غالبًا Alt أو Alt+Shift أو Control+Option):";
    keys_single: "With JavaScript, j and k go to the next and the previous item, and the letters above work alone. They never work while you type.", "مع JavaScript ينتقل j وk إلى العنصر التالي والسابق، وتعمل الحروف أعلاه وحدها. ولا تعمل وأنت تكتب.";
    keys_off: "Turn single keys off", "أوقف المفاتيح المفردة";
    keys_on: "Turn single keys on", "شغّل المفاتيح المفردة";
    fault_title: "That did not work", "لم ينجح ذلك";
    fault_forged: "The form does not come from a page of this service, or the page is too old. Load it again.", "لم يُرسل النموذج من صفحة لهذه الخدمة، أو أن الصفحة قديمة. أعد تحميلها.";
    fault_not_found: "There is no such page, or you may not see it.", "لا توجد صفحة كهذه، أو ليس لك أن تراها.";
    fault_busy: "The service cannot do this now. Try again in a moment.", "لا تستطيع الخدمة ذلك الآن. أعد المحاولة بعد قليل.";
    go_back: "Back to the submission", "العودة إلى المقطع";
}

impl Words {
    /// Name of a decision.
    pub(super) fn verb(&self, name: &str) -> &'static str {
        match name {
            "accept" => self.verb_accept,
            "dispute" => self.verb_dispute,
            "withdraw" => self.verb_withdraw,
            "sold" => self.verb_sold,
            "copy" => self.verb_copy,
            "same_scene" => self.verb_same_scene,
            "allowed" => self.verb_allowed,
            "same" => self.verb_same,
            "distinct" => self.verb_distinct,
            "undo" => self.verb_undo,
            "confirm" => self.verb_confirm,
            "refuse" => self.verb_refuse,
            _ => "?",
        }
    }

    /// Meaning of a decision.
    pub(super) fn means(&self, name: &str) -> &'static str {
        match name {
            "accept" => self.means_accept,
            "dispute" => self.means_dispute,
            "withdraw" => self.means_withdraw,
            "sold" => self.means_sold,
            "copy" => self.means_copy,
            "same_scene" => self.means_same_scene,
            "allowed" => self.means_allowed,
            "same" => self.means_same,
            "distinct" => self.means_distinct,
            _ => "",
        }
    }

    /// Name of a verdict.
    pub(super) fn verdict_name(&self, name: &str) -> &'static str {
        match name {
            "unpublished" => self.unpublished,
            "partly_published" => self.partly_published,
            "published" => self.published,
            "inconclusive" => self.inconclusive,
            _ => "–",
        }
    }

    /// Name of a state.
    pub(super) fn stand(&self, name: &str) -> &'static str {
        match name {
            "open" => self.stand_open,
            "waiting" => self.stand_waiting,
            "disputed" => self.stand_disputed,
            "accepted" => self.stand_accepted,
            "closed" => self.stand_closed,
            _ => self.all,
        }
    }

    /// Name of a doubt.
    pub(super) fn doubt_name(&self, name: &str) -> &'static str {
        match name {
            "undecided" => self.doubt_undecided,
            "disputed" => self.doubt_disputed,
            "near" => self.doubt_near,
            "inconclusive" => self.doubt_inconclusive,
            "waiting" => self.doubt_waiting,
            _ => self.doubt_held,
        }
    }

    /// Reason for a deduction.
    pub(super) fn deducted(&self, reason: &str) -> &'static str {
        match reason {
            "already_offered" => self.deducted_already_offered,
            "disputed" => self.deducted_disputed,
            "undecided" => self.deducted_undecided,
            "published" => self.deducted_published,
            "sold" => self.deducted_sold,
            _ => self.deducted_remainder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NAMED;

    #[test]
    fn a_sentence_names_the_same_values_in_both_languages() {
        let values = |text: &str| {
            let mut found: Vec<_> = text
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split_once('}'))
                .map(|(name, _)| name.to_owned())
                .collect();
            found.sort();
            found
        };
        for (name, en, ar) in NAMED {
            assert_eq!(values(en), values(ar), "{name}");
            let is_ours = matches!(*name, "code" | "direction" | "sha256" | "of_row");
            assert!(
                is_ours || ar.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c)),
                "{name} is not translated"
            );
        }
    }
}
