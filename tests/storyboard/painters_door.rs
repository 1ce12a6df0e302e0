//! The example's story is complete.

use std::collections::{HashMap, HashSet};

use bevy_illustrator::story::{Story, check::check};

use crate::painters_door;

/// The scenes that can be reached from each scene.
fn reachable(story: &Story) -> HashMap<&str, HashSet<&str>> {
    let from = |start| {
        let (mut seen, mut open) = (HashSet::from([start]), vec![start]);
        while let Some(id) = open.pop() {
            let exits = story.scene(id).into_iter().flat_map(|scene| &scene.exits);
            open.extend(exits.map(|exit| exit.to.as_str()).filter(|&to| seen.insert(to)));
        }
        seen
    };
    story.scenes.iter().map(|scene| (scene.id.as_str(), from(scene.id.as_str()))).collect()
}

#[test]
fn the_painters_door_is_a_complete_story() {
    let story = painters_door();
    assert_eq!(check(&story), [], "no faults and no warnings");
    assert!(story.scenes.len() >= 12);
    assert!(story.characters.len() >= 4);
    assert!(story.characters.iter().all(|c| c.expressions.len() >= 2));
    let lines: usize = story.scenes.iter().map(|scene| scene.lines.len()).sum();
    assert!(lines >= 80, "{lines} lines");
    assert!(story.scenes.iter().filter(|scene| scene.exits.len() > 1).count() >= 4, "choices");
}

#[test]
fn every_scene_leads_to_an_ending_and_both_endings_are_reachable() {
    let story = painters_door();
    let endings: HashSet<&str> = story
        .scenes
        .iter()
        .filter(|scene| scene.exits.is_empty())
        .map(|scene| scene.id.as_str())
        .collect();
    assert!(endings.len() >= 2);
    assert!(endings.iter().all(|id| story.scene(id).is_some_and(|scene| scene.ending.is_some())));
    let reachable = reachable(&story);
    let first = story.first_scene().unwrap();
    assert!(endings.is_subset(&reachable[first.id.as_str()]));
    for (scene, leads_to) in &reachable {
        assert!(!leads_to.is_disjoint(&endings), "no ending can be reached from `{scene}`");
    }
}

#[test]
fn every_expression_is_used_and_has_words() {
    let story = painters_door();
    let lines = story.scenes.iter().flat_map(|scene| &scene.lines);
    let used: HashSet<(&str, &str)> =
        lines.filter_map(|l| Some((l.speaker.as_deref()?, l.expression.as_deref()?))).collect();
    let written: HashSet<(&str, &str)> = story
        .characters
        .iter()
        .flat_map(|c| c.expressions.iter().map(|e| (c.id.as_str(), e.id.as_str())))
        .collect();
    assert_eq!(used, written);
}
