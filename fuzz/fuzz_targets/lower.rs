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

use std::{error::Error, sync::Once};

use anthropic_messages_codegen::{Contract, Lowered, Requirements, finish, run, settings};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    leave_panics_to_the_generator();
    let (text, overlay) = match serde_json::from_slice::<Value>(input) {
        Ok(Value::Array(pair)) if pair.len() == 2 => (pair[0].to_string(), Some(pair[1].to_string())),
        Ok(document) => (document.to_string(), None),
        Err(_) => (document::document(input).to_string(), None),
    };
    let generated = run(|| {
        // The lowering either fails with a place or returns a document that the later steps accept.
        let Ok(lowered) = lowered(&text, overlay.as_deref()) else { return Ok(None) };
        let code = progenitor::Generator::new(&settings()).generate_tokens(&lowered.openapi()?)?;
        Ok::<_, Box<dyn Error + Send + Sync>>(Some(finish(&lowered, &Requirements::default(), code)?))
    });
    match generated {
        Ok(None) => {}
        Ok(Some(generated)) => {
            if let Err(error) = syn::parse_file(&generated.source) {
                fault(&text, &format!("the code does not parse: {error}"));
            }
        }
        Err(error) => fault(&text, &error.to_string()),
    }
});

fn lowered(text: &str, overlay: Option<&str>) -> Result<Lowered, anthropic_messages_codegen::Error> {
    let mut contract = Contract::parse("spec.json", text)?;
    if let Some(overlay) = overlay {
        contract = contract.overlay("overlay.json", overlay)?;
    }
    contract.lower()
}

/// The generator makes an error of a panic; the fuzzer's own hook would end the process before.
fn leave_panics_to_the_generator() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
}

fn fault(document: &str, problem: &str) -> ! {
    eprintln!("{problem}\n{document}");
    std::process::abort();
}
