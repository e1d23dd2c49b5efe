//! Computes the time before a retry. Pure: what is random follows from a seed.

use std::time::Duration;

use super::policy::RetryDelay;

/// The longest delay: with more, a run appears to hang. Also keeps sums of times in range.
const DELAY_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the time before the retry with this number, counted from 1. `seed` is that of the run,
/// and a number that no other retry of the run has.
pub fn retry_delay(delay: RetryDelay, retry: u32, seed: (u64, u64)) -> Duration {
    let (delay, jitter) = match delay {
        RetryDelay::Fixed { delay, jitter } => (delay, jitter),
        RetryDelay::Exponential {
            first,
            longest,
            jitter,
        } => {
            let factor = 2_u32.checked_pow(retry.saturating_sub(1));
            let delay = factor.and_then(|factor| first.checked_mul(factor));
            let longest = longest.unwrap_or(DELAY_MAX);
            (delay.unwrap_or(longest).min(longest), jitter)
        }
    };
    let delay = delay.min(DELAY_MAX);
    if jitter {
        delay.mul_f64(0.5 + random(seed) / 2.0)
    } else {
        delay
    }
}

/// Returns a number from 0 to 1 that looks random, by the finalizer of `SplitMix64`.
fn random((run, retry): (u64, u64)) -> f64 {
    let mut bits = run ^ retry.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let top = (bits ^ (bits >> 31)) >> 32;
    f64::from(top as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(delay: RetryDelay, retries: std::ops::Range<u32>) -> Vec<u64> {
        let of = |retry| retry_delay(delay, retry, (0, 0)).as_secs();
        retries.map(of).collect()
    }

    #[test]
    fn a_delay_is_fixed_or_doubles_up_to_a_limit() {
        let fixed = RetryDelay::Fixed {
            delay: Duration::from_secs(3),
            jitter: false,
        };
        assert_eq!(seconds(fixed, 1..4), [3, 3, 3]);
        let exponential = |longest: Option<u64>| RetryDelay::Exponential {
            first: Duration::from_secs(1),
            longest: longest.map(Duration::from_secs),
            jitter: false,
        };
        assert_eq!(seconds(exponential(None), 1..5), [1, 2, 4, 8]);
        assert_eq!(seconds(exponential(Some(5)), 1..5), [1, 2, 4, 5]);
        assert_eq!(seconds(exponential(None), 1_000..1_001), [86_400]);
        assert_eq!(seconds(RetryDelay::default(), 1..3), [0, 0]);
    }

    proptest! {
        #[test]
        fn jitter_shortens_a_delay_by_at_most_half(seed: (u64, u64), retry in 1u32..9) {
            let delay = RetryDelay::Fixed { delay: Duration::from_secs(10), jitter: true };
            let delay = retry_delay(delay, retry, seed);
            prop_assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&delay));
        }
    }

    #[test]
    fn delays_with_jitter_differ() {
        let delay = RetryDelay::Fixed {
            delay: Duration::from_secs(10),
            jitter: true,
        };
        let mut delays: Vec<_> = (0..100).map(|n| retry_delay(delay, 1, (7, n))).collect();
        delays.sort_unstable();
        delays.dedup();
        assert!(delays.len() > 90, "{}", delays.len());
    }
}
