//! Forms of several parts (`multipart/form-data`, RFC 7578).

use std::{
    collections::VecDeque,
    error, fmt, io, mem,
    path::PathBuf,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::{
    fs::File,
    io::{AsyncRead, ReadBuf},
};

use super::parameters::InvalidRequest;
use crate::{
    error::{Error, ErrorKind, Result},
    upload::{FileContent, FileStream, FileUpload},
};

/// Number of bytes read from a file at once.
const CHUNK: usize = 64 * 1024;

/// A form, encoded except for its files.
pub(crate) struct MultipartForm {
    boundary: String,
    segments: Vec<Segment>,
}

#[derive(Clone)]
enum Segment {
    Bytes(Bytes),
    File(FileUpload),
}

impl MultipartForm {
    pub(crate) fn new() -> Self {
        let boundary = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self { boundary, segments: Vec::new() }
    }

    /// Adds a file. `media_type` takes the place of its own.
    pub(crate) fn file(
        &mut self,
        name: &str,
        file: &FileUpload,
        media_type: Option<&str>,
    ) -> Result<(), InvalidRequest> {
        self.head(name, Some(file.name()), Some(media_type.unwrap_or(file.media_type())))?;
        self.segments.push(Segment::File(file.clone()));
        Ok(())
    }

    /// Adds a value: a part for each item of a list, JSON for an object, text for anything else, and nothing for `null`.
    pub(crate) fn value<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
        media_type: Option<&str>,
    ) -> Result<(), InvalidRequest> {
        let json = to_raw_value(value).map_err(InvalidRequest::not_encoded)?;
        match json.get().as_bytes().first() {
            Some(b'[') if media_type.is_none() => {
                let items: Vec<&RawValue> = serde_json::from_str(json.get()).map_err(InvalidRequest::not_encoded)?;
                items.into_iter().try_for_each(|item| self.text(name, item, None))
            }
            _ => self.text(name, &json, media_type),
        }
    }

    fn text(&mut self, name: &str, json: &RawValue, media_type: Option<&str>) -> Result<(), InvalidRequest> {
        let json = json.get();
        let is_json = |media_type: &str| media_type == "application/json" || media_type.ends_with("+json");
        let (text, default) = match json.as_bytes().first() {
            Some(b'n') => return Ok(()),
            Some(b'"') if !media_type.is_some_and(is_json) => {
                (serde_json::from_str(json).map_err(InvalidRequest::not_encoded)?, None)
            }
            Some(b'{' | b'[') => (json.to_owned(), Some("application/json")),
            _ => (json.to_owned(), None),
        };
        self.head(name, None, media_type.or(default))?;
        self.segments.push(Segment::Bytes(text.into()));
        Ok(())
    }

    /// Begins a part.
    fn head(&mut self, name: &str, file_name: Option<&str>, media_type: Option<&str>) -> Result<(), InvalidRequest> {
        let line_break = if self.segments.is_empty() { "" } else { "\r\n" };
        let mut head =
            format!("{line_break}--{}\r\nContent-Disposition: form-data; name=\"{}\"", self.boundary, quoted(name));
        if let Some(file_name) = file_name {
            head.push_str(&format!("; filename=\"{}\"", quoted(file_name)));
        }
        if let Some(media_type) = media_type {
            // A line break would start another header.
            HeaderValue::from_str(media_type)?;
            head.push_str(&format!("\r\nContent-Type: {media_type}"));
        }
        head.push_str("\r\n\r\n");
        self.segments.push(Segment::Bytes(head.into()));
        Ok(())
    }

    pub(super) fn content_type(&self) -> Result<HeaderValue, InvalidRequest> {
        Ok(HeaderValue::try_from(format!("multipart/form-data; boundary={}", self.boundary))?)
    }

    /// Returns `true` if the form can be sent more than once.
    pub(super) fn is_repeatable(&self) -> bool {
        !self
            .segments
            .iter()
            .any(|segment| matches!(segment, Segment::File(file) if matches!(file.content, FileContent::Stream(..))))
    }

    /// Returns the form as the body of a request.
    ///
    /// # Errors
    /// Fails if the stream of a file was sent before.
    pub(super) fn body(&self) -> Result<reqwest::Body> {
        let mut sources = VecDeque::new();
        for segment in &self.segments {
            sources.push_back(match segment {
                Segment::Bytes(bytes) => Source::Bytes(bytes.clone()),
                Segment::File(file) => source(file)?,
            });
        }
        let end = if self.segments.is_empty() { "" } else { "\r\n" };
        sources.push_back(Source::Bytes(format!("{end}--{}--\r\n", self.boundary).into()));
        let left = sources.iter().map(Source::length).sum();
        Ok(reqwest::Body::wrap(FormBody { sources, left }))
    }
}

/// A name as the forms of browsers quote it (HTML, section "Multipart form data").
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Opens the content of a file.
fn source(file: &FileUpload) -> Result<Source> {
    Ok(match &file.content {
        FileContent::Bytes(bytes) => Source::Bytes(bytes.clone()),
        FileContent::Path(path, length) => {
            Source::Opening { file: Box::pin(open(path.to_path_buf(), *length)), length: *length }
        }
        FileContent::Stream(stream, length) => {
            let taken = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
            let sentence = "the stream of a file can be sent only once";
            let stream = taken.ok_or_else(|| Error::new(ErrorKind::File, sentence))?;
            Source::Stream { stream: Mutex::new(stream), left: *length }
        }
    })
}

async fn open(path: PathBuf, length: u64) -> io::Result<File> {
    let file = File::open(path).await?;
    if file.metadata().await?.len() != length {
        return Err(io::Error::other("its size has changed"));
    }
    Ok(file)
}

/// The body of a request with a form.
struct FormBody {
    sources: VecDeque<Source>,
    /// Number of bytes that follow.
    left: u64,
}

enum Source {
    Bytes(Bytes),
    Opening {
        file: Pin<Box<dyn Future<Output = io::Result<File>> + Send + Sync>>,
        length: u64,
    },
    Open {
        file: File,
        left: u64,
    },
    /// In a mutex, which is never locked, because a body must be `Sync`.
    Stream {
        stream: Mutex<FileStream>,
        left: u64,
    },
}

impl Source {
    /// Number of bytes that follow.
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Opening { length: left, .. } | Self::Open { left, .. } | Self::Stream { left, .. } => *left,
        }
    }

    /// Reads the next bytes. There are none left after `None`.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match self {
                Self::Bytes(bytes) => {
                    let bytes = mem::take(bytes);
                    return Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)));
                }
                Self::Opening { file, length } => match ready!(file.as_mut().poll(context)) {
                    Ok(file) => *self = Self::Open { file, left: *length },
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                Self::Open { left: 0, .. } => return Poll::Ready(None),
                Self::Open { file, left } => {
                    let size = usize::try_from(*left).unwrap_or(CHUNK).min(CHUNK);
                    let mut chunk = vec![0; size];
                    let mut buffer = ReadBuf::new(&mut chunk);
                    if let Err(error) = ready!(Pin::new(file).poll_read(context, &mut buffer)) {
                        return Poll::Ready(Some(Err(error)));
                    }
                    let length = buffer.filled().len();
                    chunk.truncate(length);
                    return Poll::Ready(Some(take(left, chunk.into())));
                }
                Self::Stream { stream, left } => {
                    let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                    return Poll::Ready(match ready!(stream.as_mut().poll_next(context)) {
                        Some(Ok(bytes)) if bytes.is_empty() => continue,
                        Some(Ok(bytes)) => Some(take(left, bytes)),
                        Some(Err(error)) => Some(Err(error)),
                        None if *left == 0 => None,
                        None => Some(take(left, Bytes::new())),
                    });
                }
            }
        }
    }
}

/// Counts bytes that were read. There must be as many as were announced.
fn take(left: &mut u64, bytes: Bytes) -> io::Result<Bytes> {
    if bytes.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than announced"));
    }
    *left = left.checked_sub(bytes.len() as u64).ok_or_else(|| io::Error::other("it is longer than announced"))?;
    Ok(bytes)
}

impl Body for FormBody {
    type Data = Bytes;
    type Error = FileError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, FileError>>> {
        while let Some(source) = self.sources.front_mut() {
            match ready!(source.poll_read(context)) {
                Some(Ok(bytes)) => {
                    self.left = self.left.saturating_sub(bytes.len() as u64);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(FileError(error)))),
                None => drop(self.sources.pop_front()),
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A file of a form could not be read.
#[derive(Debug)]
pub(super) struct FileError(io::Error);

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to read a file of the form")
    }
}

impl error::Error for FileError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn written(form: &MultipartForm) -> (u64, Result<String, String>) {
        let mut body: http_body_util::combinators::BoxBody<Bytes, reqwest::Error> =
            http_body_util::BodyExt::boxed(form.body().unwrap());
        let length = body.size_hint().exact().unwrap();
        let collected = http_body_util::BodyExt::collect(&mut body).await;
        let text = collected.map(|all| String::from_utf8(all.to_bytes().to_vec()).unwrap());
        (length, text.map_err(|error| format!("{error:?}")))
    }

    fn lines(text: &str, boundary: &str) -> Vec<String> {
        text.replace(boundary, "B").split("\r\n").map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_form_has_a_part_for_each_value_and_can_be_written_again() {
        let mut form = MultipartForm::new();
        form.file("file", &FileUpload::from_bytes("a \"b\"\r\n.pdf", "%PDF-"), None).unwrap();
        form.value("seconds", &3600, None).unwrap();
        form.value("tags", &["x", "y"], None).unwrap();
        form.value("nothing", &None::<u8>, None).unwrap();
        form.value("meta", &serde_json::json!({"a": 1}), None).unwrap();
        form.value("json", "text", Some("application/json")).unwrap();
        let expected = [
            "--B",
            "Content-Disposition: form-data; name=\"file\"; filename=\"a %22b%22%0D%0A.pdf\"",
            "Content-Type: application/pdf",
            "",
            "%PDF-",
            "--B",
            "Content-Disposition: form-data; name=\"seconds\"",
            "",
            "3600",
            "--B",
            "Content-Disposition: form-data; name=\"tags\"",
            "",
            "x",
            "--B",
            "Content-Disposition: form-data; name=\"tags\"",
            "",
            "y",
            "--B",
            "Content-Disposition: form-data; name=\"meta\"",
            "Content-Type: application/json",
            "",
            "{\"a\":1}",
            "--B",
            "Content-Disposition: form-data; name=\"json\"",
            "Content-Type: application/json",
            "",
            "\"text\"",
            "--B--",
            "",
        ];
        assert!(form.is_repeatable());
        for _ in 0..2 {
            let (length, text) = written(&form).await;
            let text = text.unwrap();
            assert_eq!(length, text.len() as u64);
            assert_eq!(lines(&text, &form.boundary), expected);
        }
        assert!(form.file("x", &FileUpload::from_bytes("n", "").with_media_type("a\r\nb: c"), None).is_err());
    }

    #[tokio::test]
    async fn a_stream_is_sent_once_and_has_its_length() {
        for (length, problem) in [(3, None), (2, Some("longer than announced")), (4, Some("shorter than announced"))] {
            let chunks = [Ok(Bytes::from("ab")), Ok(Bytes::new()), Ok(Bytes::from("c"))];
            let mut form = MultipartForm::new();
            form.file("file", &FileUpload::from_stream("s", length, stream::iter(chunks)), None).unwrap();
            assert!(!form.is_repeatable());
            match (written(&form).await.1, problem) {
                (Ok(text), None) => assert!(text.contains("\r\n\r\nabc\r\n--"), "{text}"),
                (Err(error), Some(problem)) => assert!(error.contains(problem), "{error}"),
                (other, _) => panic!("{length}: {other:?}"),
            }
            assert_eq!(form.body().unwrap_err().kind(), ErrorKind::File);
        }
    }

    #[tokio::test]
    async fn a_file_is_read_when_it_is_sent_and_must_not_have_changed() {
        let path = std::env::temp_dir().join(format!("anthropic-messages-{:016x}.txt", fastrand::u64(..)));
        std::fs::write(&path, "x".repeat(CHUNK + 1)).unwrap();
        let file = FileUpload::from_path(&path).await.unwrap();
        assert_eq!((file.size(), file.media_type()), (CHUNK as u64 + 1, "text/plain"));
        let mut form = MultipartForm::new();
        form.file("file", &file, None).unwrap();
        assert!(form.is_repeatable());
        assert!(written(&form).await.1.unwrap().contains(&"x".repeat(CHUNK + 1)));
        std::fs::write(&path, "shorter").unwrap();
        assert!(written(&form).await.1.unwrap_err().contains("its size has changed"));
        std::fs::remove_file(&path).unwrap();
        assert!(FileUpload::from_path(&path).await.is_err());
    }
}
