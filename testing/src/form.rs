//! Parses forms of several parts (`multipart/form-data`, RFC 7578).

use bytes::Bytes;
use memchr::memmem;

/// A part of a form.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) filename: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
}

/// Returns the parts of a form, or `None` if the body isn't one. Bodies of parts share the memory of the form's.
pub(crate) fn parts(content_type: &str, body: &Bytes) -> Option<Vec<Part>> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter has no line break before it.
    let mut rest = body.slice_ref(body.strip_prefix(format!("--{boundary}").as_bytes())?);
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let end = memmem::find(&rest, delimiter.as_bytes())?;
        parts.push(part(&rest.slice(..end))?);
        rest = rest.slice(end + delimiter.len()..);
    }
}

/// Parses a part that starts with the line break after its delimiter.
fn part(part: &Bytes) -> Option<Part> {
    let end = memmem::find(part, b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(part.get(..end)?).ok()?, part.slice(end + 4..));
    let header = |wanted: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let disposition = header("content-disposition")?.strip_prefix("form-data")?;
    Some(Part {
        name: parameter(disposition, "name")?,
        filename: parameter(disposition, "filename"),
        content_type: header("content-type").map(str::to_owned),
        body,
    })
}

/// Returns a parameter of a header. Quoted values have `"` and line breaks percent-encoded, as browsers send them.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([';', ' ']);
        let (name, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(';').unwrap_or((after, "")),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"));
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a %22b%22; c.txt\"\r\n\
                        content-type: text/plain\r\n\r\nline\r\n--not a delimiter\r\n\r\n--b\r\n\
                        content-disposition: form-data; name=\"n\"\r\n\r\n5\r\n--b--\r\n";

    #[test]
    fn a_form_is_split_into_its_parts() {
        let parts = parts("multipart/form-data; boundary=b", &Bytes::from_static(FORM.as_bytes())).unwrap();
        let [file, number] = parts.as_slice() else { panic!("{parts:?}") };
        assert_eq!((&*file.name, file.filename.as_deref()), ("file", Some("a \"b\"; c.txt")));
        assert_eq!(file.content_type.as_deref(), Some("text/plain"));
        assert_eq!(file.body, "line\r\n--not a delimiter\r\n");
        assert_eq!((&*number.name, &number.filename, &*number.body), ("n", &None, &b"5"[..]));
    }

    #[test]
    fn a_cut_form_is_none() {
        for length in 0..FORM.len() - 4 {
            let form = Bytes::copy_from_slice(&FORM.as_bytes()[..length]);
            assert!(parts("multipart/form-data; boundary=b", &form).is_none(), "{length}");
        }
        assert!(parts("application/json", &Bytes::from_static(b"--b--")).is_none());
    }
}
