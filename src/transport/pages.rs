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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::response::Head;

    /// The items of a page and the cursor behind it.
    type Page = (Vec<u8>, Option<&'static str>);

    /// A list whose pages are found by their cursors, and the cursors that were asked for.
    type Cursors = Arc<Mutex<Vec<Option<String>>>>;

    fn list(pages: Vec<(Option<&'static str>, Page)>) -> (Pages<Page>, Cursors) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let fetch = move |cursor: Option<String>| {
            log.lock().unwrap().push(cursor.clone());
            let page = pages.iter().find(|(at, _)| *at == cursor.as_deref()).map(|(_, page)| page.clone());
            async move {
                let page = page.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such page"))?;
                Ok(Response::new(page, Head::default()))
            }
        };
        (Pages::new(fetch, |page: &Page| page.1.map(str::to_owned)), asked)
    }

    #[tokio::test]
    async fn items_come_from_all_pages_and_pages_are_requested_one_by_one() {
        let (pages, asked) =
            list(vec![(None, (vec![1, 2], Some("b"))), (Some("b"), (vec![], Some("c"))), (Some("c"), (vec![3], None))]);
        let mut items = pages.items(|page| page.0);
        assert_eq!(items.next().await.unwrap().unwrap(), 1);
        assert_eq!(asked.lock().unwrap().len(), 1);
        assert_eq!(items.next().await.unwrap().unwrap(), 2);
        assert_eq!(items.next().await.unwrap().unwrap(), 3);
        assert!(items.next().await.is_none());
        assert_eq!(*asked.lock().unwrap(), [None, Some("b".to_owned()), Some("c".to_owned())]);
    }

    #[tokio::test]
    async fn a_repeated_cursor_is_an_error_behind_its_page() {
        let (mut pages, asked) = list(vec![
            (None, (vec![1], Some("b"))),
            (Some("b"), (vec![2], Some("c"))),
            (Some("c"), (vec![3], Some("b"))),
        ]);
        for item in 1..=3 {
            assert_eq!(pages.next().await.unwrap().unwrap().0, [item]);
        }
        assert_eq!(pages.next().await.unwrap().unwrap_err().kind(), ErrorKind::Protocol);
        assert!(pages.next().await.is_none());
        assert_eq!(asked.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_failed_request_ends_the_list() {
        let (pages, _) = list(vec![(None, (vec![1], Some("gone")))]);
        let mut items = pages.items(|page| page.0);
        assert_eq!(items.next().await.unwrap().unwrap(), 1);
        assert_eq!(items.next().await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
        assert!(items.next().await.is_none());
    }
}
