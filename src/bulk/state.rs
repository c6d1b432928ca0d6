//! The state of a bulk job: where each request is. It changes by the entries of the journal alone, so that a resumed job
//! has the state of the one before it.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map};

use super::journal::{Entry, NewestBatch, hash};

#[derive(Debug, Default)]
pub(super) struct State {
    /// By the hash of their ids, which takes less memory than the ids.
    requests: HashMap<u64, Request>,
    /// The batches with requests that are not answered.
    batches: BTreeMap<u32, Batch>,
    /// The number of the newest batch.
    last_batch: u32,
    /// The ids of all batches that were created.
    created: HashSet<String>,
    pub(super) answered: usize,
    pub(super) is_canceled: bool,
    /// In seconds since the Unix epoch.
    pub(super) first_submitted_at: Option<u64>,
}

/// A request that was sent. Its content is not kept.
#[derive(Debug)]
struct Request {
    /// The hash of its JSON.
    content: u64,
    place: Place,
    /// The number of batches that it was sent in.
    tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// It will be sent in the next batch.
    Waiting,
    /// It was sent in the batch with this number.
    Batch(u32),
    /// The caller has its answer.
    Answered,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batch {
    /// The id of the service, or `None` as long as it is unknown if the service has created the batch.
    pub(super) id: Option<String>,
    /// The time before it was created, in seconds since the Unix epoch.
    pub(super) at: u64,
    /// The batch of the service before it.
    pub(super) newest: Option<NewestBatch>,
    /// The number of requests in it.
    pub(super) requests: usize,
    /// The number of requests that are neither answered nor sent again.
    pub(super) open: usize,
}

impl State {
    /// Takes an entry. Fails if it can't follow the ones before it.
    pub(super) fn apply(&mut self, entry: &Entry) -> Result<(), String> {
        match entry {
            Entry::Bulk { .. } => Err("a journal begins once".to_owned()),
            Entry::Creating { batch, at, newest, requests } => {
                if *batch != self.last_batch + 1 {
                    return Err(format!("batch {batch} does not follow batch {}", self.last_batch));
                }
                for request in requests {
                    self.send(&request.0, request.1, *batch)?;
                }
                self.last_batch = *batch;
                self.first_submitted_at.get_or_insert(*at);
                let count = requests.len();
                let newest = newest.clone();
                self.batches.insert(*batch, Batch { id: None, at: *at, newest, requests: count, open: count });
                Ok(())
            }
            Entry::Created { batch, id } => {
                let slot = self.batches.get_mut(batch).ok_or_else(|| format!("batch {batch} is unknown"))?;
                match slot.id.replace(id.clone()) {
                    None => {
                        self.created.insert(id.clone());
                        Ok(())
                    }
                    Some(_) => Err(format!("batch {batch} was created before")),
                }
            }
            Entry::NotCreated { batch } => {
                match self.batches.remove(batch) {
                    Some(Batch { id: None, .. }) => {}
                    _ => return Err(format!("batch {batch} is not one to be created")),
                }
                for request in self.requests.values_mut().filter(|request| request.place == Place::Batch(*batch)) {
                    request.place = Place::Waiting;
                    request.tries -= 1;
                }
                Ok(())
            }
            Entry::Answered { custom_id } => {
                self.leave_batch(custom_id, Place::Answered)?;
                self.answered += 1;
                Ok(())
            }
            Entry::Again { custom_id } => self.leave_batch(custom_id, Place::Waiting),
            Entry::Canceled => {
                self.is_canceled = true;
                Ok(())
            }
        }
    }

    fn send(&mut self, custom_id: &str, content: u64, batch: u32) -> Result<(), String> {
        let request = match self.requests.entry(hash(custom_id.as_bytes())) {
            hash_map::Entry::Vacant(slot) => slot.insert(Request { content, place: Place::Waiting, tries: 0 }),
            hash_map::Entry::Occupied(slot) => slot.into_mut(),
        };
        if request.place != Place::Waiting || request.content != content {
            return Err(format!("request `{custom_id}` is sent twice"));
        }
        request.place = Place::Batch(batch);
        request.tries += 1;
        Ok(())
    }

    fn leave_batch(&mut self, custom_id: &str, to: Place) -> Result<(), String> {
        let request = self.requests.get_mut(&hash(custom_id.as_bytes()));
        let Some(request @ &mut Request { place: Place::Batch(number), .. }) = request else {
            return Err(format!("request `{custom_id}` is in no batch"));
        };
        request.place = to;
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.open -= 1;
            if batch.open == 0 {
                self.batches.remove(&number);
            }
        }
        Ok(())
    }

    /// Returns where a request is. `None` if it was never sent.
    ///
    /// # Errors
    /// Fails if a request with this id and another content was sent.
    pub(super) fn place(&self, custom_id: &str, content: u64) -> Result<Option<Place>, String> {
        match self.requests.get(&hash(custom_id.as_bytes())) {
            None => Ok(None),
            Some(request) if request.content == content => Ok(Some(request.place)),
            Some(_) => Err(format!("request `{custom_id}` differs from the one of this id that was sent before")),
        }
    }

    /// Returns `true` if the request is in this batch and has no answer.
    pub(super) fn is_open_in(&self, custom_id: &str, batch: u32) -> bool {
        self.requests.get(&hash(custom_id.as_bytes())).is_some_and(|request| request.place == Place::Batch(batch))
    }

    /// Returns `true` if a request of this id was ever sent.
    pub(super) fn knows(&self, custom_id: &str) -> bool {
        self.requests.contains_key(&hash(custom_id.as_bytes()))
    }

    /// Returns the number of batches that the request was sent in.
    pub(super) fn tries(&self, custom_id: &str) -> u32 {
        self.requests.get(&hash(custom_id.as_bytes())).map_or(0, |request| request.tries)
    }

    /// Returns the number of requests that were sent and must be sent again.
    pub(super) fn waiting(&self) -> usize {
        self.requests.len() - self.answered - self.open()
    }

    /// Returns the number of requests in batches.
    pub(super) fn open(&self) -> usize {
        self.batches.values().map(|batch| batch.open).sum()
    }

    /// Returns `true` if the service created a batch with this id for the job.
    pub(super) fn has_created(&self, id: &str) -> bool {
        self.created.contains(id)
    }

    /// The batches with requests that are not answered, by their numbers.
    pub(super) fn batches(&self) -> &BTreeMap<u32, Batch> {
        &self.batches
    }

    pub(super) fn next_batch(&self) -> u32 {
        self.last_batch + 1
    }
}

#[cfg(test)]
mod tests {
    use super::{super::journal::RequestEntry, *};

    #[test]
    fn requests_move_from_waiting_to_a_batch_to_their_answer() {
        let mut state = State::default();
        state.apply(&creating(1, &["a", "b"])).unwrap();
        assert_eq!((state.open(), state.waiting(), state.answered), (2, 0, 0));
        state.apply(&Entry::Created { batch: 1, id: "msgbatch_1".to_owned() }).unwrap();
        state.apply(&answered("a")).unwrap();
        state.apply(&Entry::Again { custom_id: "b".to_owned() }).unwrap();
        assert_eq!((state.open(), state.waiting(), state.answered), (0, 1, 1));
        assert!(state.batches().is_empty());
        state.apply(&creating(2, &["b"])).unwrap();
        assert_eq!((state.tries("b"), state.open()), (2, 1));
        state.apply(&Entry::NotCreated { batch: 2 }).unwrap();
        assert_eq!((state.tries("b"), state.waiting()), (1, 1));
        assert_eq!(state.place("a", 7), Ok(Some(Place::Answered)));
        assert!(state.place("a", 8).unwrap_err().contains("differs"));
        assert_eq!(state.place("c", 7), Ok(None));
    }

    #[test]
    fn an_entry_that_contradicts_the_ones_before_it_is_refused() {
        let created = || Entry::Created { batch: 1, id: "msgbatch_1".to_owned() };
        let wrong = [
            vec![creating(2, &["a"])],
            vec![creating(1, &["a"]), creating(1, &["b"])],
            vec![creating(1, &["a"]), creating(2, &["a"])],
            vec![creating(1, &["a", "a"])],
            vec![created()],
            vec![creating(1, &["a"]), created(), created()],
            vec![creating(1, &["a"]), created(), Entry::NotCreated { batch: 1 }],
            vec![answered("a")],
            vec![creating(1, &["a"]), created(), answered("a"), answered("a")],
            vec![creating(1, &["a"]), created(), answered("a"), creating(2, &["a"])],
            vec![Entry::Bulk { version: 1 }],
        ];
        for entries in wrong {
            let mut state = State::default();
            let (last, before) = entries.split_last().unwrap();
            before.iter().for_each(|entry| state.apply(entry).unwrap());
            state.apply(last).expect_err(&format!("{entries:?}"));
        }
    }

    fn creating(batch: u32, ids: &[&str]) -> Entry {
        let requests = ids.iter().map(|id| RequestEntry((*id).to_owned(), 7)).collect();
        Entry::Creating { batch, at: 9, newest: None, requests }
    }

    fn answered(custom_id: &str) -> Entry {
        Entry::Answered { custom_id: custom_id.to_owned() }
    }
}
