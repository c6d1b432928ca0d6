//! Classifies a list of texts in batches, with a progress bar. Interrupt it and run it again: it goes on where it was.
//!
//! Answers from an embedded server unless `ANTHROPIC_API_KEY` is set.
//!
//! ```sh
//! cargo run --features bulk --example bulk -- job.journal
//! ```
