//! Captures everything that the process logs, at every level.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Captures log output.
#[derive(Clone, Default)]
pub struct Capture(Arc<Logged>);

#[derive(Default)]
struct Logged {
    lines: Mutex<Vec<String>>,
    spans: Mutex<BTreeMap<u64, BTreeMap<String, String>>>,
    next: AtomicU64,
}

impl Capture {
    /// Starts capturing, once per process.
    pub fn begin() -> Self {
        static CAPTURE: OnceLock<Capture> = OnceLock::new();
        let begun = CAPTURE.get_or_init(|| {
            let capture = Self::default();
            tracing::subscriber::set_global_default(capture.clone()).unwrap();
            log::set_boxed_logger(Box::new(capture.clone())).unwrap();
            log::set_max_level(log::LevelFilter::Trace);
            capture
        });
        begun.clone()
    }

    /// Returns all events and log records, one line each.
    pub fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().clone()
    }

    /// Returns the fields of all spans with a name.
    pub fn spans(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let spans = self.0.spans.lock().unwrap();
        spans.values().filter(|fields| fields.get("span").is_some_and(|span| span == name)).cloned().collect()
    }

    fn line(&self, line: String) {
        self.0.lines.lock().unwrap().push(line);
    }
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.0.next.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fields = BTreeMap::from([("span".to_owned(), span.metadata().name().to_owned())]);
        span.record(&mut Fields(&mut fields));
        self.0.spans.lock().unwrap().insert(id, fields);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(fields) = self.0.spans.lock().unwrap().get_mut(&span.into_u64()) {
            values.record(&mut Fields(fields));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        self.line(format!("{} {fields:?}", event.metadata().target()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.line(format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}
