//! A job that is killed and resumed.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
};

use anthropic_messages::{Client, internal_for_tests::abort_journal};
use anthropic_messages_testing::{At, Fault, Matcher, Reply, Server};

use crate::{answers, journal, open, requests, times_sent};

const REQUESTS: usize = 9;

/// A fault of the server.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// The batch is created, and the response is lost.
    LostCreation,
    /// The batch is created, and the response ends early.
    CutCreation,
    /// The batch is not created.
    RefusedCreation,
    /// Polling fails once.
    FailedPoll,
    /// The results end early, once.
    CutResults,
    /// A request expires once.
    Expired,
}

const TROUBLES: [Trouble; 7] = [
    Trouble::None,
    Trouble::LostCreation,
    Trouble::CutCreation,
    Trouble::RefusedCreation,
    Trouble::FailedPoll,
    Trouble::CutResults,
    Trouble::Expired,
];

impl Trouble {
    fn server(self) -> Server {
        let server = Server::builder().batches_end_after_polls(1).start().unwrap();
        match self {
            Self::None => {}
            Self::LostCreation => {
                let lost = Reply::echo().fault(Fault::reset(At::BeforeHeaders));
                server.when(Matcher::operation("createBatch")).reply(lost);
            }
            Self::CutCreation => {
                let cut = Reply::echo().fault(Fault::close(At::AfterByte(20)));
                server.when(Matcher::operation("createBatch")).reply(cut);
            }
            Self::RefusedCreation => {
                let refused = Reply::error(429, "rate_limit_error", "not now");
                server.when(Matcher::operation("createBatch")).reply(refused);
            }
            Self::FailedPoll => {
                let failed = Reply::error(404, "not_found_error", "not yet");
                server.when(Matcher::operation("getBatch")).reply(failed);
            }
            Self::CutResults => {
                let cut = Reply::echo().fault(Fault::close(At::AfterByte(150)));
                server.when(Matcher::operation("batchResults")).reply(cut);
            }
            Self::Expired => {
                server.when(Matcher::custom_id("request-4")).reply(Reply::expired());
            }
        }
        server
    }

    /// The number of times that the server may have got a request.
    fn max_sent(self, custom_id: &str) -> usize {
        match self {
            // Refused, then sent.
            Self::RefusedCreation => 2,
            Self::Expired if custom_id == "request-4" => 2,
            _ => 1,
        }
    }
}

/// Runs a job until it ends or is aborted. Returns `true` if it ended. Answers are stored as a program would do it: before the
/// next one is asked for.
async fn run(client: &Client, path: &Path, abort: Option<(u64, usize)>, stored: &mut BTreeMap<String, usize>) -> bool {
    let Ok(mut bulk) = open(path) else { return false };
    if let Some((after, torn)) = abort {
        bulk = abort_journal(bulk, after, torn);
    }
    let mut job = bulk.batch_size(3).max_batches(2).start(client, requests(REQUESTS)).unwrap();
    let mut errors = 0;
    while let Some(answer) = job.next().await {
        match answer {
            Ok(answer) => *stored.entry(answer.custom_id).or_default() += 1,
            Err(_) => errors += 1,
        }
        assert!(errors < 10, "no progress");
    }
    job.progress().answered == REQUESTS
}

#[tokio::test]
async fn a_job_killed_at_any_write_answers_each_request_once() {
    let mut points = 0;
    for trouble in TROUBLES {
        for torn in [0, 30, usize::MAX] {
            for after in 0.. {
                let server = trouble.server();
                let client = server.client_builder().max_retries(0).build().unwrap();
                let (_folder, path) = journal();
                let mut stored = BTreeMap::new();
                // The journal's first line is written before the abort is set.
                let ended = run(&client, &path, Some((after, torn)), &mut stored).await;
                if ended {
                    assert!(after > 10, "too few writes");
                    break;
                }
                points += 1;
                let at = format!("{trouble:?}, write {after}, {torn} bytes of it");
                assert!(run(&client, &path, None, &mut stored).await, "{at}");
                assert_eq!(stored.len(), REQUESTS, "{at}");
                // Only the answer that was being handled is returned once more.
                let twice = stored.values().filter(|times| **times > 1).count();
                assert!(twice <= 1 && stored.values().all(|times| *times <= 2), "{at}: {stored:?}");
                for (custom_id, times) in times_sent(&server) {
                    assert!(times <= trouble.max_sent(&custom_id), "{at}: {custom_id} was sent {times} times");
                }
            }
        }
    }
    assert!(points >= 200, "{points} points");
}

#[tokio::test]
async fn a_job_dropped_at_any_answer_answers_each_request_once() {
    for trouble in TROUBLES {
        for kept in 0..REQUESTS {
            let server = trouble.server();
            let client = server.client_builder().max_retries(0).build().unwrap();
            let (_folder, path) = journal();
            let mut stored = BTreeMap::new();
            let mut job = open(&path).unwrap().batch_size(3).start(&client, requests(REQUESTS)).unwrap();
            while stored.len() <= kept {
                if let Ok(answer) = job.next().await.unwrap() {
                    stored.insert(answer.custom_id, 1);
                }
            }
            drop(job);
            assert!(run(&client, &path, None, &mut stored).await, "{trouble:?} {kept}");
            assert_eq!(stored.len(), REQUESTS, "{trouble:?} {kept}");
            assert_eq!(stored.values().filter(|times| **times > 1).count(), 1, "{trouble:?} {kept}");
        }
    }
}

#[tokio::test]
async fn damage_is_an_error_and_never_a_second_answer() {
    let server = Trouble::None.server();
    let client = server.client().unwrap();
    let (folder, path) = journal();
    let mut job = open(&path).unwrap().batch_size(3).start(&client, requests(REQUESTS)).unwrap();
    assert_eq!(answers(&mut job).await.len(), REQUESTS);
    drop(job);
    let whole = fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.journal");
    // Every byte but the last, whose loss is that of an interrupted write.
    for position in 0..whole.len() - 1 {
        let mut bytes = whole.clone();
        bytes[position] ^= 1;
        fs::write(&damaged, bytes).unwrap();
        assert!(open(&damaged).is_err(), "byte {position}");
    }
    fs::write(&damaged, &whole[..whole.len() - 1]).unwrap();
    let before = times_sent(&server);
    let mut job = open(&damaged).unwrap().batch_size(3).start(&client, requests(REQUESTS)).unwrap();
    assert_eq!(answers(&mut job).await.len(), 1);
    assert_eq!(times_sent(&server), before);
}

/// The job of a process that is killed. It writes each answer to a file before it asks for the next.
#[tokio::test]
#[ignore = "started by other tests, in a process of its own"]
async fn child() {
    let client = Client::builder().api_key("k").base_url(env::var("URL").unwrap()).no_proxy().build().unwrap();
    let folder = env::var("FOLDER").unwrap();
    let mut answers = OpenOptions::new().create(true).append(true).open(Path::new(&folder).join("answers")).unwrap();
    let bulk = open(&Path::new(&folder).join("job.journal")).unwrap();
    let mut job = bulk.batch_size(20).start(&client, requests(100)).unwrap();
    while let Some(answer) = job.next().await {
        writeln!(answers, "{}", answer.unwrap().custom_id).unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_is_resumed() {
    for requests_before_kill in [1, 2, 4, 7, 11, 14] {
        let server = Server::builder().batches_end_after_polls(2).start().unwrap();
        let (folder, _) = journal();
        let start = || -> Child {
            Command::new(env::current_exe().unwrap())
                .args(["bulk::crash::child", "--exact", "--ignored", "--nocapture"])
                .env("URL", server.base_url())
                .env("FOLDER", folder.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        };
        let mut first = start();
        server.until(move |counts| counts.requests >= requests_before_kill).await.unwrap();
        // SIGKILL, on Unix.
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(start().wait().unwrap().success());
        let text = fs::read_to_string(folder.path().join("answers")).unwrap();
        let mut ids: Vec<&str> = text.lines().collect();
        let written = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 100);
        assert!(written <= 101, "{written} answers");
        assert!(times_sent(&server).values().all(|times| *times == 1), "after {requests_before_kill} requests");
    }
}
