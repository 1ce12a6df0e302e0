//! The paths from scene to scene.

use std::collections::{HashMap, HashSet};

use super::StoryFault;
use crate::story::{Scene, Story};

/// Finds unreachable scenes, and a story without a reachable ending.
pub(super) fn check(story: &Story, faults: &mut Vec<StoryFault>) {
    let Some(first) = story.first_scene() else { return };
    let reached = reached_from(first, &story.scenes);
    for scene in &story.scenes {
        if !reached.contains(scene.id.as_str()) {
            faults.push(StoryFault::UnreachedScene { scene: scene.id.clone() });
        }
    }
    let is_end = |scene: &Scene| scene.exits.is_empty() && reached.contains(scene.id.as_str());
    if !story.scenes.iter().any(is_end) {
        faults.push(StoryFault::NoEnding);
    }
}

/// The ids of all reachable scenes.
fn reached_from<'a>(first: &'a Scene, scenes: &'a [Scene]) -> HashSet<&'a str> {
    let by_id: HashMap<&str, &Scene> = scenes.iter().map(|s| (s.id.as_str(), s)).collect();
    let mut reached = HashSet::from([first.id.as_str()]);
    let mut open = vec![first];
    while let Some(scene) = open.pop() {
        for exit in &scene.exits {
            if let Some(next) = by_id.get(exit.to.as_str())
                && reached.insert(&next.id)
            {
                open.push(next);
            }
        }
    }
    reached
}
