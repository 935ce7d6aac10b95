//! `calcom-stand-in PORT [CONTENT.json]`: serves the stand-in on loopback until it is ended.

use std::{env, error::Error, fs};

use calcom_stand_in::{StandIn, router};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let port: u16 = arguments.next().ok_or("usage: calcom-stand-in PORT [CONTENT.json]")?.parse()?;
    let stand_in = StandIn::default();
    if let Some(path) = arguments.next() {
        stand_in.put(serde_json::from_str(&fs::read_to_string(path)?)?);
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("the Cal.com stand-in listens on http://{}", listener.local_addr()?);
    axum::serve(listener, router(stand_in)).await?;
    Ok(())
}
