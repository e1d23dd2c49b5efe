//! The scroll position of a list.

/// The first line of a view of `height` lines, as near to `top` as shows the selected line, with
/// no room left empty at the end. A view without lines is not shown, and keeps its place.
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
