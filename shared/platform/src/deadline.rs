//! The time that an invocation has left.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;

/// The time left without a deadline. Lambda always sets one; `cargo lambda watch` sets one in the distant past.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(60);

/// The time left at the beginning of an invocation. A deadline that has passed by then counts as none.
pub fn time_left(context: &Context) -> Duration {
    context.deadline().duration_since(SystemTime::now()).unwrap_or(WITHOUT_DEADLINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_in_the_distant_past_counts_as_none() {
        let mut context = Context::default();
        context.deadline = 600_000;
        assert_eq!(time_left(&context), WITHOUT_DEADLINE);
        let in_ten_seconds = SystemTime::now() + Duration::from_secs(10);
        context.deadline = in_ten_seconds.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        assert!((9..=10).contains(&time_left(&context).as_secs()));
    }
}
