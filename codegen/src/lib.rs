//! From a contract to the source of a client: values in, values out.

pub mod lower;
pub mod node;
pub mod overlay;
pub mod polish;
pub mod requirements;

use std::fmt;

use self::{
    lower::model::{Lowered, Note},
    node::Node,
};

/// What generation gives.
#[derive(Debug)]
pub struct Generated {
    /// The source of the client and the types.
    pub source: String,
    /// The contract with the overlay applied: OpenAPI 3.1, JSON.
    pub contract: String,
    /// What progenitor was given: OpenAPI 3.0.
    pub lowered: serde_json::Value,
    /// What of the contract could not be kept.
    pub notes: Vec<Note>,
    /// The contract's first server.
    pub server: Option<String>,
}

/// The texts that generation starts from, each with the name that messages give it.
pub struct Source<'a> {
    pub contract: (&'a str, &'a str),
    pub overlay: Option<(&'a str, &'a str)>,
}

/// Generates the client.
///
/// # Errors
/// When a document can't be read, or the contract lacks what the hand-written layer needs.
pub fn generate(source: &Source<'_>) -> Result<Generated, PipelineError> {
    run(source, requirements::check)
}

/// Generates a client for any document, whether the hand-written layer could stand on it or not.
///
/// # Errors
/// When a document can't be read.
pub fn generate_any(source: &Source<'_>) -> Result<Generated, PipelineError> {
    run(source, |_| Ok(()))
}

/// The stack, in bytes: schemas may stand deep in each other, and a debug build takes some kilobytes a level. What is
/// not touched takes no memory.
const STACK: usize = 128 << 20;

fn run(
    source: &Source<'_>,
    requirements: impl Fn(&Lowered) -> Result<(), String> + Send,
) -> Result<Generated, PipelineError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || steps(source, requirements));
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(generated)) => generated,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(PipelineError::new(source.contract.0, format!("no thread can be started: {error}"))),
        }
    })
}

fn steps(
    source: &Source<'_>,
    requirements: impl Fn(&Lowered) -> Result<(), String>,
) -> Result<Generated, PipelineError> {
    let (name, text) = source.contract;
    let mut document = parse(name, text)?;
    if let Some((name, text)) = source.overlay {
        document = overlay::apply(document, &parse(name, text)?).map_err(|error| PipelineError::new(name, error))?;
    }
    let lowered = lower::lower(&document).map_err(|error| PipelineError::new(name, error))?;
    requirements(&lowered).map_err(|error| PipelineError::new(name, error))?;
    let generated = progenitor(&lowered.document).map_err(|error| PipelineError::new(name, error))?;
    let polished =
        polish::polish(&lowered, generated).map_err(|error| PipelineError::new("progenitor's output", error))?;
    Ok(Generated {
        source: prettyplease::unparse(&polished),
        contract: serde_json::to_string(&document).map_err(|error| PipelineError::new(name, error))?,
        lowered: lowered.document,
        notes: lowered.notes,
        server: lowered.server,
    })
}

/// Why nothing could be generated: one sentence, with the file and the place.
#[derive(Debug)]
pub struct PipelineError {
    file: String,
    problem: String,
}

impl PipelineError {
    fn new(file: &str, problem: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), problem: problem.to_string() }
    }
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}

impl std::error::Error for PipelineError {}

fn parse(name: &str, text: &str) -> Result<Node, PipelineError> {
    serde_json::from_str(text.trim_start_matches('\u{FEFF}'))
        .map_err(|error| PipelineError::new(name, format!("the file is not JSON: {error}")))
}

fn progenitor(document: &serde_json::Value) -> Result<syn::File, String> {
    use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle};
    let document: openapiv3::OpenAPI = serde_json::from_value(document.clone())
        .map_err(|error| format!("the lowered contract is no OpenAPI 3.0: {error}"))?;
    let inner = quote::quote!(crate::client::Inner);
    let mut settings = GenerationSettings::default();
    settings.with_interface(InterfaceStyle::Positional).with_inner_type(inner).with_hooks(HooksMode::Expected);
    // progenitor asserts what it has not thought of; a panic is not how a build should end.
    let tokens = std::panic::catch_unwind(|| Generator::new(&settings).generate_tokens(&document))
        .map_err(|_| "progenitor can't take the lowered contract, and gave up with a panic".to_owned())?
        .map_err(|error| format!("progenitor can't take the lowered contract: {error}"))?;
    syn::parse2(tokens).map_err(|error| format!("progenitor's code does not parse: {error}"))
}
