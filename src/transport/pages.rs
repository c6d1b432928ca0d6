//! Lists that a server returns page by page.

use std::{
    collections::HashSet,
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    vec,
};

use futures_core::Stream;
use futures_util::StreamExt;

use crate::{
    error::{Error, ErrorKind, Result},
    response::Response,
};

/// The pages of a list, each of them requested when it is polled for.
///
/// `Pages` implements [`Stream`] and ends after the last page. It owns what it needs, so that it can be moved to another
/// task.
///
/// # Errors
///
/// An error ends the stream: a request that failed, or a server that repeats a cursor
/// ([`Protocol`](ErrorKind::Protocol)), since following it again would never end.
pub struct Pages<P> {
    fetch: Box<Fetch<P>>,
    cursor_of: Box<CursorOf<P>>,
    /// The cursors that were followed.
    followed: HashSet<String>,
    state: State<P>,
}

type Fetch<P> = dyn FnMut(Option<String>) -> Fetching<P> + Send;
type CursorOf<P> = dyn Fn(&P) -> Option<String> + Send;
type Fetching<P> = Pin<Box<dyn Future<Output = Result<Response<P>>> + Send>>;

enum State<P> {
    /// The cursor of the next page, or `None` for the first page.
    Next(Option<String>),
    Fetching(Fetching<P>),
    Failed(Error),
    Done,
}

impl<P: 'static> Pages<P> {
    /// `fetch` sends the request for the page at a cursor, and `cursor_of` returns the cursor behind a page.
    pub(crate) fn new<F>(
        mut fetch: impl FnMut(Option<String>) -> F + Send + 'static,
        cursor_of: impl Fn(&P) -> Option<String> + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<P>>> + Send + 'static,
    {
        Self {
            fetch: Box::new(move |cursor| Box::pin(fetch(cursor))),
            cursor_of: Box::new(cursor_of),
            followed: HashSet::new(),
            state: State::Next(None),
        }
    }

    /// Yields the items of the pages, one by one.
    pub(crate) fn items<T: 'static>(self, items: fn(P) -> Vec<T>) -> PageItems<T> {
        let pages = self.map(move |page| page.map(|page| items(page.into_inner())));
        PageItems { pages: Box::pin(pages), page: Vec::new().into_iter() }
    }

    /// Returns the state behind a page. A cursor that was followed before fails the next poll, not the page.
    fn behind(&mut self, page: &Response<P>) -> State<P> {
        let Some(cursor) = (self.cursor_of)(page) else { return State::Done };
        if self.followed.insert(cursor.clone()) {
            return State::Next(Some(cursor));
        }
        let error = Error::new(ErrorKind::Protocol, "page repeats the cursor of a page before it");
        State::Failed(error.with_head(page.head().clone()))
    }
}

impl<P> Pages<P> {
    /// Returns the next page, or `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<Response<P>>>
    where
        P: 'static,
    {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<P: 'static> Stream for Pages<P> {
    type Item = Result<Response<P>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match mem::replace(&mut this.state, State::Done) {
                State::Next(cursor) => this.state = State::Fetching((this.fetch)(cursor)),
                State::Fetching(mut fetching) => {
                    let Poll::Ready(fetched) = fetching.as_mut().poll(context) else {
                        this.state = State::Fetching(fetching);
                        return Poll::Pending;
                    };
                    if let Ok(page) = &fetched {
                        this.state = this.behind(page);
                    }
                    return Poll::Ready(Some(fetched));
                }
                State::Failed(error) => return Poll::Ready(Some(Err(error))),
                State::Done => return Poll::Ready(None),
            }
        }
    }
}

impl<P> fmt::Debug for Pages<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("is_done", &matches!(self.state, State::Done)).finish_non_exhaustive()
    }
}

/// The items of a list that a server returns page by page.
///
/// `PageItems` implements [`Stream`]. It requests a page when the items of the one before are used up, and ends with the
/// last item. An error ends it, as it ends [`Pages`].
pub struct PageItems<T> {
    pages: Pin<Box<dyn Stream<Item = Result<Vec<T>>> + Send>>,
    page: vec::IntoIter<T>,
}

impl<T> PageItems<T> {
    /// Returns the next item, or `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<T>>
    where
        T: Unpin,
    {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T: Unpin> Stream for PageItems<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.page.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(this.pages.as_mut().poll_next(context)) {
                Some(Ok(page)) => this.page = page.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for PageItems<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageItems").field("left_of_page", &self.page.len()).finish_non_exhaustive()
    }
}
