//! The takes of a shot as a tree: each edit is a child of the take that it was made from.

use crate::art::Take;

/// A take in the tree.
#[derive(Debug)]
pub(super) struct Branch<'a> {
    pub take: &'a Take,
    /// Its number among the takes of the shot, from 1.
    pub number: usize,
    /// The number of its ancestors.
    pub depth: usize,
}

/// The takes in depth-first order, older ones first.
pub(super) fn tree(takes: &[Take]) -> Vec<Branch<'_>> {
    let mut branches = Vec::with_capacity(takes.len());
    for (at, take) in takes.iter().enumerate() {
        // A take whose parent was discarded is a root.
        if parent(takes, take).is_none() {
            grow(takes, at, 0, &mut branches);
        }
    }
    // Parents can form a cycle in damaged files. Such takes become roots.
    for (at, take) in takes.iter().enumerate() {
        if branches.iter().all(|branch| branch.number != at + 1) {
            branches.push(Branch { take, number: at + 1, depth: 0 });
        }
    }
    branches
}

/// The take that this one was made from, unless it was discarded.
pub(super) fn parent<'a>(takes: &'a [Take], take: &Take) -> Option<&'a Take> {
    let parent = take.parent()?;
    takes.iter().find(|other| other.id == *parent)
}

/// The takes that were made from this one, older ones first.
pub(super) fn children<'a>(takes: &'a [Take], take: &Take) -> impl Iterator<Item = &'a Take> {
    takes.iter().filter(move |other| other.parent() == Some(&take.id))
}

/// A short description of a take: `take 3: Replace sky`.
pub(super) fn in_short(take: &Take, number: usize) -> String {
    match &take.recipe().edit {
        Some(edit) => format!("take {number}: {}", edit.in_words()),
        None => format!("take {number}"),
    }
}

fn grow<'a>(takes: &'a [Take], at: usize, depth: usize, branches: &mut Vec<Branch<'a>>) {
    let take = &takes[at];
    branches.push(Branch { take, number: at + 1, depth });
    let is_child = |other: &Take| other.parent() == Some(&take.id);
    for child in (0..takes.len()).filter(|&other| is_child(&takes[other])) {
        grow(takes, child, depth + 1, branches);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        art::{Provenance, TakeId},
        generator::ModelCard,
        recipe::{PictureEdit, Recipe, Size},
        storyboard::ShotId,
        test_support::edit_of_parts,
    };

    fn id(digit: char) -> TakeId {
        TakeId::new(digit.to_string().repeat(16)).unwrap()
    }

    fn take(digit: char, parent: Option<char>) -> Take {
        let edit = parent
            .map(|parent| PictureEdit { parent: Some(id(parent)), ..edit_of_parts(Vec::new()) });
        let recipe = Recipe { edit, ..Recipe::new("", Size::new(8, 8), "") };
        Take {
            id: id(digit),
            shot: ShotId::new("shot").unwrap(),
            path: "take.png".into(),
            provenance: Provenance::now(recipe, ModelCard::default(), Duration::ZERO),
        }
    }

    fn shape(takes: &[Take]) -> Vec<(usize, usize)> {
        tree(takes).iter().map(|branch| (branch.number, branch.depth)).collect()
    }

    #[test]
    fn edits_are_below_their_parents() {
        let takes = [
            take('a', None),
            take('b', None),
            take('c', Some('a')),
            take('d', Some('c')),
            take('e', Some('a')),
        ];
        assert_eq!(shape(&takes), [(1, 0), (3, 1), (4, 2), (5, 1), (2, 0)]);
        let ids = |of: &Take| children(&takes, of).map(|take| take.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&takes[0]), [id('c'), id('e')]);
        assert_eq!(parent(&takes, &takes[3]).map(|take| &take.id), Some(&id('c')));
    }

    #[test]
    fn an_edit_of_a_discarded_take_is_a_root() {
        let takes = [take('c', Some('a')), take('d', Some('c'))];
        assert_eq!(shape(&takes), [(1, 0), (2, 1)]);
    }

    #[test]
    fn takes_in_a_cycle_of_parents_are_listed() {
        let takes = [take('a', Some('b')), take('b', Some('a')), take('c', None)];
        assert_eq!(shape(&takes), [(3, 0), (1, 0), (2, 0)]);
    }
}
