//! The thread that generates: a deep stack, and panics that become errors.

use std::{
    cell::RefCell,
    panic::{self, PanicHookInfo},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::Error;

/// The stack, in bytes. Schemas may be nested deep, and a debug build takes some kilobytes a level. Pages that are not
/// touched take no memory.
const STACK: usize = 128 << 20;

/// Runs the generator on a thread of its own, whose stack is deep enough for any contract.
///
/// A panic, of progenitor or of this crate, is returned as an error of one sentence: nothing is printed, since a
/// backtrace in the output of a build is of no use to whoever reads it. The panic hook of the process is put back
/// afterwards, and panics of other threads go to it in the meantime.
///
/// # Errors
/// The error of `generate`, or one of this crate's when it panics or no thread can be started.
pub fn run<T, E>(generate: impl FnOnce() -> Result<T, E> + Send) -> Result<T, E>
where
    T: Send,
    E: From<Error> + Send,
{
    let _hook = Hook::install();
    let work = || {
        PANIC.set(Some(String::new()));
        panic::catch_unwind(panic::AssertUnwindSafe(generate)).map_err(|_| PANIC.take().unwrap_or_default())
    };
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        thread.map(thread::ScopedJoinHandle::join)
    });
    let problem = match done {
        Ok(Ok(Ok(result))) => return result,
        Ok(Ok(Err(panic))) => format!(
            "the generator panicked {panic}; this is a bug of the generator, please report it with the contract and the \
             overlay"
        ),
        Ok(Err(_)) => "the thread of the generator ended without a result".to_owned(),
        Err(error) => format!("no thread can be started for the generator: {error}"),
    };
    Err(Error { file: None, problem }.into())
}

thread_local! {
    /// Place and message of the panic of this thread, if it is one of [`run`].
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

type Previous = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// How many calls of [`run`] need the hook, and the one to put back after the last.
static INSTALLED: Mutex<(usize, Option<Previous>)> = Mutex::new((0, None));

struct Hook;

impl Hook {
    fn install() -> Self {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        installed.0 += 1;
        if installed.0 == 1 {
            let previous: Previous = panic::take_hook().into();
            installed.1 = Some(Arc::clone(&previous));
            panic::set_hook(Box::new(move |panic| {
                let is_ours = PANIC.with_borrow_mut(|own| own.as_mut().map(|own| *own = sentence(panic)).is_some());
                if !is_ours {
                    previous(panic);
                }
            }));
        }
        Self
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        installed.0 = installed.0.saturating_sub(1);
        // A thread that panics can't set a hook; its own panic has been handled by then.
        if installed.0 == 0
            && !thread::panicking()
            && let Some(previous) = installed.1.take()
        {
            panic::set_hook(Box::new(move |panic| previous(panic)));
        }
    }
}

/// Place and message in a line.
fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(|place| format!("at {place}: ")).unwrap_or_default();
    let text = panic.payload().downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("without a message");
    format!("{place}{}", message.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_sentence_with_message_and_place() {
        let line = line!() + 1;
        let error = run::<(), Error>(|| panic!("seven\n  of {}", "nine")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the generator panicked at {}:{line}:", file!())), "{error}");
        assert!(error.contains(": seven of nine; "), "{error}");
        assert!(error.contains("please report it"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }

    #[test]
    fn what_the_generator_returns_is_returned() {
        assert_eq!(run(|| Ok::<_, Error>(7)).unwrap(), 7);
        let error = run(|| Err::<(), _>(Error::new("spec.json", "a problem"))).unwrap_err();
        assert_eq!(error.to_string(), "spec.json: a problem");
    }
}
