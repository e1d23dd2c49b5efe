//! Computes the scroll position of a list.

/// Returns the first visible line for a view of `height` lines: as close to `top` as possible, so
/// that the selected line is visible and no space is left at the end. Returns `top` if `height` is
/// 0.
pub(super) fn top(top: usize, selected: usize, len: usize, height: usize) -> usize {
    if height == 0 {
        return top;
    }
    let lowest = selected.saturating_sub(height.saturating_sub(1));
    top.clamp(lowest, selected)
        .min(len.saturating_sub(height))
        .max(lowest)
}

#[cfg(test)]
mod tests {
    use super::top;

    #[test]
    fn a_view_moves_no_further_than_the_selection_asks_for() {
        assert_eq!(top(5, 7, 100, 10), 5);
        assert_eq!(top(5, 3, 100, 10), 3);
        assert_eq!(top(5, 20, 100, 10), 11);
        assert_eq!(top(95, 98, 100, 10), 90);
        assert_eq!(top(3, 0, 0, 10), 0);
        assert_eq!(top(5, 20, 100, 0), 5);
    }
}
