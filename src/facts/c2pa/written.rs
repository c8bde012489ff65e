//! Writes manifest stores, for tests.

/// A box of this kind.
pub(in crate::facts) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32 + 8).to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.extend(body);
    bytes
}

/// A superbox with this label and these parts.
pub(in crate::facts) fn superbox(label: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut description = vec![0; 16];
    description.push(3);
    description.extend(label.bytes());
    description.push(0);
    let mut body = boxed(b"jumd", &description);
    parts.iter().for_each(|part| body.extend(part));
    boxed(b"jumb", &body)
}

/// A store with one manifest that has these assertions: label, and content to write as CBOR.
pub(in crate::facts) fn store(assertions: &[(&str, serde_json::Value)]) -> Vec<u8> {
    let content = |value: &serde_json::Value| {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        boxed(b"cbor", &bytes)
    };
    let parts: Vec<Vec<u8>> = assertions
        .iter()
        .map(|(label, value)| superbox(label, &[content(value)]))
        .collect();
    let signature = superbox("c2pa.signature", &[boxed(b"cbor", &[0xd2, 0x80])]);
    let manifest = superbox(
        "urn:c2pa:1",
        &[superbox("c2pa.assertions", &parts), signature],
    );
    superbox("c2pa", &[manifest])
}

/// The MP4 box of a store.
pub(in crate::facts) fn in_mp4(store: &[u8]) -> Vec<u8> {
    let mut body = crate::facts::declared::C2PA.to_vec();
    body.extend([0; 4]);
    body.extend(b"manifest\0");
    body.extend([0; 8]);
    body.extend(store);
    boxed(b"uuid", &body)
}
