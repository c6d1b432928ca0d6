//! Panics of the generator, and those of others meanwhile. Alone in its process, since the panic hook is the process's.

#![cfg(test)]

use std::{
    panic::{self, PanicHookInfo},
    sync::{Mutex, PoisonError},
    thread,
};

use anthropic_messages_codegen::{Error, run};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(panic: &PanicHookInfo<'_>) {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
}

#[test]
fn the_hook_is_put_back() {
    panic::set_hook(Box::new(note));
    let generate = || {
        run::<(), Error>(|| {
            thread::spawn(|| panic!("of another thread")).join().unwrap_err();
            panic!("of the generator")
        })
    };
    let first = generate();
    let after = panic::catch_unwind(|| panic!("after it"));
    // A hook that is set later is not lost either, and does not hide the next panic.
    panic::set_hook(Box::new(note));
    let second = generate();
    drop(panic::take_hook());

    for error in [first, second] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("of the generator"), "{error}");
    }
    assert!(after.is_err());
    let seen = SEEN.lock().unwrap().join("\n");
    assert_eq!(seen.matches("of another thread").count(), 2, "{seen}");
    assert_eq!(seen.matches("after it").count(), 1, "{seen}");
    assert!(!seen.contains("of the generator"), "{seen}");
}
