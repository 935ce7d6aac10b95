//! The end-to-end tests, in one binary: linked once. `tests/run end-to-end` starts the stack that they need.

mod accounts;
mod adoption;
mod batches;
mod booking_faults;
mod cleanup;
mod cli;
mod concurrency;
mod conflicts;
mod contacts;
mod events;
mod happy_path;
mod hosts;
mod logs;
mod migration;
mod moved;
mod notices;
mod privacy;
mod quality;
mod reconciler;
mod recovery;
mod refusals;
mod routing;
mod settling;
mod spoken_calls;
mod versions;
mod wishes;
