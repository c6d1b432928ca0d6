//! The standard's rules for server-sent events, followed word by word on a stream that is all there.
//! Slow and plain on purpose: what the decoder yields is compared with this.

/// The expected result of parsing a stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Meaning {
    /// Type, data and id of each event.
    pub(crate) events: Vec<(String, String, String)>,
    /// The reconnection time in milliseconds.
    pub(crate) retry: Option<u64>,
    /// The last event ID.
    pub(crate) last_event_id: String,
}

/// Reads a whole stream.
pub(crate) fn read(stream: &[u8]) -> Meaning {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut meaning = Meaning::default();
    let (mut data, mut kind, mut id) = (String::new(), String::new(), String::new());
    for line in lines(&String::from_utf8_lossy(stream)) {
        if line.is_empty() {
            meaning.last_event_id.clone_from(&id);
            if !data.is_empty() {
                let kind = if kind.is_empty() { "message".to_owned() } else { kind.clone() };
                let data = data.strip_suffix('\n').unwrap_or(&data).to_owned();
                meaning.events.push((kind, data, id.clone()));
            }
            data.clear();
            kind.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut kind),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                meaning.retry = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
    meaning
}

/// The lines that have an end.
fn lines(text: &str) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => lines.push(std::mem::take(&mut line)),
            '\r' => {
                characters.next_if_eq(&'\n');
                lines.push(std::mem::take(&mut line));
            }
            _ => line.push(character),
        }
    }
    lines
}
