//! Runs the generator on a thread with a large stack, and turns its panics into errors.

use std::{
    cell::RefCell,
    panic::{self, PanicHookInfo},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::Error;

/// The size of the stack in bytes. Schemas can be nested deeply, and a debug build takes some kilobytes a level. Pages
/// that aren't touched take no memory.
const STACK_SIZE: usize = 128 << 20;

/// Runs the generator on a separate thread, with a stack that is large enough for any contract.
///
/// A panic of progenitor or of this crate is returned as an error of one sentence. Nothing is printed, because a
/// backtrace doesn't help the reader of a build log. The panic hook of the process is restored afterwards, and panics of
/// other threads still reach it.
///
/// # Errors
/// Returns the error of `generate`, or an error of this crate if `generate` panics or the thread can't be started.
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
        let thread = thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, work);
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
    /// The location and message of this thread's panic. `Some` on the threads of [`run`].
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

type Previous = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The number of running calls of [`run`], and the hook to restore after the last one.
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
        // A panicking thread can't set a hook.
        if installed.0 == 0
            && !thread::panicking()
            && let Some(previous) = installed.1.take()
        {
            panic::set_hook(Box::new(move |panic| previous(panic)));
        }
    }
}

/// Returns the location and message of a panic in one line.
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
    fn a_panic_is_one_sentence_with_message_and_location() {
        let line = line!() + 1;
        let error = run::<(), Error>(|| panic!("seven\n  of {}", "nine")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the generator panicked at {}:{line}:", file!())), "{error}");
        assert!(error.contains(": seven of nine; "), "{error}");
        assert!(error.contains("please report it"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }

    #[test]
    fn the_result_of_the_generator_is_returned() {
        assert_eq!(run(|| Ok::<_, Error>(7)).unwrap(), 7);
        let error = run(|| Err::<(), _>(Error::new("spec.json", "a problem"))).unwrap_err();
        assert_eq!(error.to_string(), "spec.json: a problem");
    }
}
