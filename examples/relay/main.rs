//! Passes a streamed reply on to a browser, which never sees the API key.
//!
//! `POST` a request of the Messages API to it. Events are sent on as they arrive, and every way to end reaches the browser:
//!
//! | what happens | what the browser gets |
//! |---|---|
//! | the reply is complete | its events up to `message_stop` |
//! | the API refuses the request, or can't be reached | the status and the error as JSON |
//! | the reply breaks off, stalls or takes too long | the events so far, then an `error` event |
//! | the API sends an error in the middle | the same, with the error that the API sent |
//! | the browser leaves | nothing; the reply is cancelled, and the API stops generating |

mod server;

use std::error::Error;

use anthropic_messages::Client;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Relaying at http://{}", listener.local_addr()?);
    server::serve(listener, Client::from_env()?).await
}
