//! Reading a whole reply.

use std::hint::black_box;

use anthropic_messages::{MessageResponse, internal_for_tests::read_message};
use serde::de::DeserializeOwned;

use crate::{
    measure::{Contender, print, side_by_side},
    samples,
    shapes::{FlatReply, Reply},
};

pub fn run() {
    println!("\n## A whole reply, decoded");
    for (name, reply, iterations) in
        [("typical reply", samples::typical_reply(), 2000), ("reply with 50 blocks", samples::large_reply(), 60)]
    {
        let whole: MessageResponse = read(&reply);
        assert!(whole.extra.is_empty(), "every field of the sample is one that the types name");
        let costs = side_by_side(
            iterations,
            1,
            vec![
                Contender::new("ours, as the client reads it", |iterations| {
                    for _ in 0..iterations {
                        let read = read_message(black_box(reply.as_bytes()));
                        black_box(read.expect("the sample is a reply"));
                    }
                }),
                contender::<MessageResponse>("ours, `serde_json::from_slice`", &reply),
                contender::<Reply>("serde, tagged enum", &reply),
                contender::<FlatReply>("serde, flat struct", &reply),
            ],
        );
        print(&format!("A {name} of {} bytes", reply.len()), "reply", &costs);
    }
}

fn contender<'a, T: DeserializeOwned>(name: &'static str, reply: &'a str) -> Contender<'a> {
    Contender::new(name, move |iterations| {
        for _ in 0..iterations {
            black_box(read::<T>(black_box(reply)));
        }
    })
}

fn read<T: DeserializeOwned>(reply: &str) -> T {
    serde_json::from_slice(reply.as_bytes()).expect("the sample is a reply")
}
