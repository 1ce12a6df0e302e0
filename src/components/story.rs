//! A story in components on the game's entities.

use std::convert::Infallible;

use bevy::{ecs::system::SystemParam, prelude::*};

use crate::{
    recipe::Style,
    schedule::NewStory,
    story::{Character, Exit, Item, Line, Place, Scene, Story, StorySource},
};

/// The title, the start and the style of a story in components.
#[derive(Resource, Reflect, Clone, Debug, Default, PartialEq)]
#[reflect(Resource, Default, Debug, Clone, PartialEq)]
pub struct StoryMeta {
    /// The title.
    pub title: String,
    /// The id of the first scene. If empty, the story starts with the scene that was spawned first.
    pub start: String,
    /// The style of all pictures.
    pub style: Style,
}

/// Reads the story in components.
///
/// - [`Character`], [`Place`], [`Item`] and [`Scene`] can be on any entities. They are sorted by entity
///   index, which is the order of spawning unless entities were despawned.
/// - [`Line`] and [`Exit`] are in the scene itself, or on children of the scene's entity. Those of the
///   children follow those of the scene, in the order of the children.
/// - The title, the start and the style are in [`StoryMeta`].
#[derive(SystemParam)]
pub struct ComponentStory<'w, 's> {
    story_meta: Res<'w, StoryMeta>,
    characters: Query<'w, 's, (Entity, &'static Character)>,
    places: Query<'w, 's, (Entity, &'static Place)>,
    items: Query<'w, 's, (Entity, &'static Item)>,
    scenes: Query<'w, 's, (Entity, &'static Scene, Option<&'static Children>)>,
    lines: Query<'w, 's, &'static Line>,
    exits: Query<'w, 's, &'static Exit>,
}

impl StorySource for ComponentStory<'_, '_> {
    type Error = Infallible;

    fn story(&self) -> Result<Story, Infallible> {
        let StoryMeta { title, start, style } = self.story_meta.clone();
        Ok(Story {
            title,
            start,
            style,
            characters: in_order(&self.characters),
            places: in_order(&self.places),
            items: in_order(&self.items),
            scenes: self.scenes_in_order(),
        })
    }
}

impl ComponentStory<'_, '_> {
    fn scenes_in_order(&self) -> Vec<Scene> {
        let mut scenes: Vec<_> = self.scenes.iter().collect();
        scenes.sort_by_key(|(entity, ..)| entity.index_u32());
        scenes.into_iter().map(|(_, scene, children)| self.with_children(scene, children)).collect()
    }

    fn with_children(&self, scene: &Scene, children: Option<&Children>) -> Scene {
        let mut scene = scene.clone();
        for child in children.into_iter().flat_map(RelationshipTarget::iter) {
            scene.lines.extend(self.lines.get(child).ok().cloned());
            scene.exits.extend(self.exits.get(child).ok().cloned());
        }
        scene
    }
}

/// The components, sorted by entity index.
fn in_order<C: Component + Clone>(entities: &Query<(Entity, &'static C)>) -> Vec<C> {
    let mut found: Vec<_> = entities.iter().collect();
    found.sort_by_key(|(entity, _)| entity.index_u32());
    found.into_iter().map(|(_, component)| component.clone()).collect()
}

/// The removed components of the story.
#[derive(SystemParam)]
pub(crate) struct Removed<'w, 's> {
    characters: RemovedComponents<'w, 's, Character>,
    places: RemovedComponents<'w, 's, Place>,
    items: RemovedComponents<'w, 's, Item>,
    scenes: RemovedComponents<'w, 's, Scene>,
    lines: RemovedComponents<'w, 's, Line>,
    exits: RemovedComponents<'w, 's, Exit>,
}

impl Removed<'_, '_> {
    /// Whether a component was removed since the last call.
    fn any(&mut self) -> bool {
        let counts = [
            self.characters.read().count(),
            self.places.read().count(),
            self.items.read().count(),
            self.scenes.read().count(),
            self.lines.read().count(),
            self.exits.read().count(),
        ];
        counts.iter().any(|&count| count > 0)
    }
}

/// Matches entities whose part of the story changed.
type StoryChanged = Or<(
    Changed<Character>,
    Changed<Place>,
    Changed<Item>,
    Changed<Scene>,
    Changed<Line>,
    Changed<Exit>,
    (With<Scene>, Changed<Children>),
)>;

/// Reads the story when a part of it is added, changed or removed.
pub(crate) fn gather_story(
    components: ComponentStory,
    changed: Query<(), StoryChanged>,
    mut removed: Removed,
    mut new_story: ResMut<NewStory>,
) {
    let any_removed = removed.any();
    if changed.is_empty() && !any_removed && !components.story_meta.is_changed() {
        return;
    }
    if components.scenes.is_empty() {
        return;
    }
    let Ok(story) = components.story();
    new_story.0 = Some(story);
}
