//! The tree of tests: packages, artifacts, modules and tests.
//!
//! Each group counts the states of its tests; an event updates only the groups that contain one
//! test. The flat preorder that screens display is recomputed lazily, so any number of discoveries
//! between two frames costs one pass. Screens track which groups are expanded.

use std::collections::{HashMap, HashSet};

use maelstrom_model::ids::TestId;

use super::arena::{NameArena, NameRef};
use super::state::{StateCounts, TestState};

/// The id of a group in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u32);

/// A row of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TreeRow {
    /// A package, an artifact or a module.
    Group(GroupId),
    Test(TestId),
}

#[derive(Clone, Debug)]
struct TreeGroup {
    name: NameRef,
    parent: Option<GroupId>,
    depth: u16,
    children: Vec<TreeRow>,
    counts: StateCounts,
}

/// The tree of packages, artifacts, modules and tests.
#[derive(Clone, Debug, Default)]
pub struct TestTree {
    groups: Vec<TreeGroup>,
    roots: Vec<TreeRow>,
    by_name: HashMap<(Option<GroupId>, Box<str>), GroupId>,
    parent_of: Vec<GroupId>,
    leaf_name: Vec<NameRef>,
    /// Tests that have vanished.
    gone: HashSet<TestId>,
    preorder: Vec<PreorderRow>,
    stale: bool,
}

/// A row in the flat preorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreorderRow {
    pub row: TreeRow,
    /// The index after the last row below this one; for a test, its own index plus one.
    pub end: u32,
    /// The level of indentation, from 0.
    pub depth: u16,
}

impl TestTree {
    /// Adds the next test and the groups on its path. `title` is the full name in the arena, which
    /// usually ends with the name of the leaf.
    pub(super) fn add(&mut self, arena: &mut NameArena, path: TestTreePath<'_>, title: NameRef) {
        let test = TestId(self.parent_of.len() as u32);
        let mut group = self.group(arena, None, path.package);
        if !path.artifact.is_empty() {
            group = self.group(arena, Some(group), path.artifact);
        }
        let (modules, leaf) = split(path.name);
        for module in modules {
            group = self.group(arena, Some(group), module);
        }
        let leaf = arena.part_of(title, leaf);
        self.leaf_name.push(leaf);
        self.parent_of.push(group);
        self.children_mut(Some(group)).push(TreeRow::Test(test));
        self.stale = true;
        self.each_above(test, |counts| counts.add(TestState::Waiting));
    }

    /// Removes a test, whose current state is `state`. Returns whether it existed.
    pub(super) fn remove(&mut self, test: TestId, state: TestState) -> bool {
        let was_there = test.index() < self.parent_of.len() && self.gone.insert(test);
        if was_there {
            self.each_above(test, |counts| counts.removed(state));
            self.stale = true;
        }
        was_there
    }

    pub(super) fn is_gone(&self, test: TestId) -> bool {
        !self.gone.is_empty() && self.gone.contains(&test)
    }

    pub(super) fn gone_count(&self) -> usize {
        self.gone.len()
    }

    pub(super) fn moved(&mut self, test: TestId, from: TestState, to: TestState) {
        self.each_above(test, |counts| counts.moved(from, to));
    }

    fn each_above(&mut self, test: TestId, change: impl Fn(&mut StateCounts)) {
        let mut above = self.parent_of.get(test.index()).copied();
        while let Some(group) = above.and_then(|id| self.groups.get_mut(id.0 as usize)) {
            change(&mut group.counts);
            above = group.parent;
        }
    }

    fn group(&mut self, arena: &mut NameArena, parent: Option<GroupId>, name: &str) -> GroupId {
        if let Some(found) = self.by_name.get(&(parent, name.into())) {
            return *found;
        }
        let id = GroupId(self.groups.len() as u32);
        self.groups.push(TreeGroup {
            name: arena.add(name),
            parent,
            depth: parent.map_or(0, |parent| self.depth(parent) + 1),
            children: Vec::new(),
            counts: StateCounts::default(),
        });
        self.children_mut(parent).push(TreeRow::Group(id));
        self.by_name.insert((parent, name.into()), id);
        id
    }

    fn children_mut(&mut self, group: Option<GroupId>) -> &mut Vec<TreeRow> {
        match group.and_then(|id| self.groups.get_mut(id.0 as usize)) {
            Some(group) => &mut group.children,
            None => &mut self.roots,
        }
    }

    /// Returns the depth of a group; packages have depth 0.
    pub fn depth(&self, group: GroupId) -> u16 {
        self.groups.get(group.0 as usize).map_or(0, |g| g.depth)
    }

    /// Returns the group that contains a row, if any.
    pub fn parent(&self, row: TreeRow) -> Option<GroupId> {
        match row {
            TreeRow::Group(id) => self.groups.get(id.0 as usize)?.parent,
            TreeRow::Test(test) => self.parent_of.get(test.index()).copied(),
        }
    }

    /// Returns the number of tests of a group in each state.
    pub fn counts(&self, group: GroupId) -> StateCounts {
        self.groups
            .get(group.0 as usize)
            .map_or_else(StateCounts::default, |g| g.counts)
    }

    /// Returns the number of groups, including empty ones.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Returns the displayed name of a row.
    pub(super) fn name(&self, row: TreeRow) -> Option<NameRef> {
        match row {
            TreeRow::Group(id) => self.groups.get(id.0 as usize).map(|group| group.name),
            TreeRow::Test(test) => self.leaf_name.get(test.index()).copied(),
        }
    }

    /// Returns the flat preorder of the tree. Current only after
    /// [`refresh`](super::RunModel::refresh).
    pub fn preorder(&self) -> &[PreorderRow] {
        &self.preorder
    }

    /// Recomputes the preorder if tests were found or vanished. Returns whether it was out of date.
    pub(super) fn refresh(&mut self, arena: &NameArena) -> bool {
        if !std::mem::take(&mut self.stale) {
            return false;
        }
        let leaf_name = &self.leaf_name;
        let names: Vec<NameRef> = self.groups.iter().map(|group| group.name).collect();
        // Groups sort before tests of the same name; the id makes the order deterministic.
        let key = |row: &TreeRow| match row {
            TreeRow::Group(id) => (names.get(id.0 as usize).map(|n| arena.get(*n)), 0, id.0),
            TreeRow::Test(id) => (leaf_name.get(id.index()).map(|n| arena.get(*n)), 1, id.0),
        };
        let gone = &self.gone;
        for group in &mut self.groups {
            group.children.retain(|row| match row {
                TreeRow::Test(test) => !gone.contains(test),
                TreeRow::Group(_) => true,
            });
            // The children are nearly sorted: only those added since the last refresh are out of
            // order.
            group.children.sort_by(|a, b| key(a).cmp(&key(b)));
        }
        self.roots.sort_by(|a, b| key(a).cmp(&key(b)));
        self.preorder.clear();
        self.preorder
            .reserve(self.groups.len() + self.parent_of.len());
        for root in &self.roots {
            push_subtree(&self.groups, &mut self.preorder, *root);
        }
        true
    }
}

/// Appends a row and everything below it. Not recursive, because module paths can be deep.
fn push_subtree(groups: &[TreeGroup], preorder: &mut Vec<PreorderRow>, root: TreeRow) {
    let mut pending = vec![(root, 0_u16)];
    let mut open: Vec<(usize, u16)> = Vec::new();
    while let Some((row, depth)) = pending.pop() {
        if let TreeRow::Group(id) = row
            && let Some(group) = groups.get(id.0 as usize)
            && group.counts.total() == 0
        {
            // All tests of this group have vanished.
            continue;
        }
        while let Some((index, _)) = open.pop_if(|(_, open_depth)| *open_depth >= depth) {
            preorder[index].end = preorder.len() as u32;
        }
        let index = preorder.len();
        preorder.push(PreorderRow {
            row,
            end: index as u32 + 1,
            depth,
        });
        if let TreeRow::Group(id) = row
            && let Some(group) = groups.get(id.0 as usize)
        {
            open.push((index, depth));
            pending.extend(group.children.iter().rev().map(|child| (*child, depth + 1)));
        }
    }
    for (index, _) in open {
        preorder[index].end = preorder.len() as u32;
    }
}

/// The names that determine the position of a test in the tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct TestTreePath<'a> {
    pub package: &'a str,
    pub artifact: &'a str,
    pub name: &'a str,
}

/// Splits the name of a test at its separators, `::`, or `/` if the name has no `::`. Text from the
/// first bracket on (the parameters of a test) is never split.
fn split(name: &str) -> (Vec<&str>, &str) {
    let bare = &name[..name.find(['[', '(', '<']).unwrap_or(name.len())];
    let separator = if bare.contains("::") { "::" } else { "/" };
    let Some(end) = bare.rfind(separator) else {
        return (Vec::new(), name);
    };
    let leaf = &name[end + separator.len()..];
    if leaf.is_empty() {
        return (Vec::new(), name);
    }
    (bare[..end].split(separator).collect(), leaf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_separators_but_not_in_parameters() {
        assert_eq!(split("a::b::c"), (vec!["a", "b"], "c"));
        assert_eq!(split("TestX/sub/case"), (vec!["TestX", "sub"], "case"));
        assert_eq!(
            split("TestA::test_b[x::y/z]"),
            (vec!["TestA"], "test_b[x::y/z]")
        );
        assert_eq!(split("plain"), (vec![], "plain"));
        assert_eq!(split("odd::"), (vec![], "odd::"));
    }

    #[test]
    fn every_subtree_ends_where_the_next_line_of_its_depth_begins() {
        let mut arena = NameArena::default();
        let mut tree = TestTree::default();
        for name in ["b::y", "a::x::deep", "a::w", "top"] {
            let title = arena.add(name);
            let path = TestTreePath {
                package: "pkg",
                artifact: "",
                name,
            };
            tree.add(&mut arena, path, title);
        }
        assert!(tree.refresh(&arena));
        assert!(!tree.refresh(&arena));
        let lines: Vec<_> = tree
            .preorder()
            .iter()
            .map(|line| {
                let name = tree.name(line.row).map(|name| arena.get(name)).unwrap();
                (line.depth, name, line.end)
            })
            .collect();
        assert_eq!(
            lines,
            [
                (0, "pkg", 8),
                (1, "a", 5),
                (2, "w", 3),
                (2, "x", 5),
                (3, "deep", 5),
                (1, "b", 7),
                (2, "y", 7),
                (1, "top", 8),
            ]
        );
    }
}
