//! How long an invocation may still take.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;

/// Where the runtime gives no deadline. Lambda always does; `cargo lambda watch` names one that is long past.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(60);

/// The time that is left, asked at the beginning of an invocation: a deadline that is past by then is none.
pub fn time_left(context: &Context) -> Duration {
    context.deadline().duration_since(SystemTime::now()).unwrap_or(WITHOUT_DEADLINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_long_ago_is_none() {
        let mut context = Context::default();
        context.deadline = 600_000;
        assert_eq!(time_left(&context), WITHOUT_DEADLINE);
        let in_ten_seconds = SystemTime::now() + Duration::from_secs(10);
        context.deadline = in_ten_seconds.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        assert!((9..=10).contains(&time_left(&context).as_secs()));
    }
}
