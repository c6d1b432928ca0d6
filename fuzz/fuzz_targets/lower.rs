//! Any document into the generator: one sentence that says why not, or code that parses; never a panic.
//!
//! The input is the document when it is JSON, a document and an overlay when it is a list of two, and else the
//! choices out of which a document is built. What the lowering lets through, progenitor and the polishing must take:
//! an error of theirs is a fault of the lowering.
//!
//! ```sh
//! mkdir -p fuzz/corpus/lower
//! cargo +nightly fuzz run -s none lower fuzz/corpus/lower fuzz/seeds/lower -- -dict=fuzz/seeds/lower.dict -timeout=60
//! ```

#![no_main]

mod document;
#[path = "../../build/pipeline.rs"]
#[allow(dead_code, unreachable_pub, reason = "the build script's own module, of which this file uses a part")]
mod pipeline;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Errors of what comes after the lowering, which has to see to it that they don't come.
const FAULTS: [&str; 5] = [
    "progenitor can't take the lowered contract",
    "progenitor's code does not parse",
    "the lowered contract is no OpenAPI 3.0",
    "progenitor's output",
    "was never finished",
];

fuzz_target!(|input: &[u8]| {
    keep_panics_that_are_caught();
    let (text, overlay) = match serde_json::from_slice::<Value>(input) {
        Ok(Value::Array(pair)) if pair.len() == 2 => (pair[0].to_string(), Some(pair[1].to_string())),
        Ok(document) => (document.to_string(), None),
        Err(_) => (document::document(input).to_string(), None),
    };
    let source = pipeline::Source {
        contract: ("spec.json", &text),
        overlay: overlay.as_deref().map(|overlay| ("overlay.json", overlay)),
    };
    let generated = catch_unwind(AssertUnwindSafe(|| pipeline::generate_any(&source)));
    match generated {
        Ok(Ok(generated)) => {
            if let Err(error) = syn::parse_file(&generated.source) {
                fault(&text, &format!("the code does not parse: {error}"));
            }
        }
        Ok(Err(error)) => {
            let error = error.to_string();
            if FAULTS.iter().any(|fault| error.contains(fault)) {
                fault(&text, &error);
            }
        }
        Err(_) => fault(&text, "a panic"),
    }
});

/// The pipeline catches the panics of progenitor; the fuzzer's own hook would end the process before.
fn keep_panics_that_are_caught() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
}

fn fault(document: &str, problem: &str) -> ! {
    eprintln!("{problem}\n{document}");
    std::process::abort();
}
