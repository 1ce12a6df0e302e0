//! A story that stands in components on the game's own entities.

use std::convert::Infallible;

use bevy::{ecs::system::SystemParam, prelude::*};

use crate::{
    recipe::Style,
    schedule::NewStory,
    story::{Character, Exit, Item, Line, Place, Scene, Story, StorySource},
};

/// What a story has that no entity holds.
#[derive(Resource, Reflect, Clone, Debug, Default, PartialEq)]
#[reflect(Resource, Default, Debug, Clone, PartialEq)]
pub struct StoryMeta {
    /// What the story is called.
    pub title: String,
    /// The id of the first scene; the first that was spawned when empty.
    pub start: String,
    /// The one look of all pictures.
    pub style: Style,
}

/// The story that stands in components.
///
/// - Sheets ([`Character`], [`Place`], [`Item`]) and [`Scene`]s may stand on any entities. They come
///   in the order of spawning; while no entity is despawned, that is the order of writing.
/// - [`Line`]s and [`Exit`]s stand in the scene itself, or on children of the scene's entity. The
///   children's come after the scene's own, in the order of the children.
/// - Title, start and style come from [`StoryMeta`].
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

/// Clones components in the order in which their entities were spawned.
fn in_order<C: Component + Clone>(entities: &Query<(Entity, &'static C)>) -> Vec<C> {
    let mut found: Vec<_> = entities.iter().collect();
    found.sort_by_key(|(entity, _)| entity.index_u32());
    found.into_iter().map(|(_, component)| component.clone()).collect()
}

/// Whether anything that tells the story was removed.
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
    /// Looks, and forgets.
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

/// What in a world makes a story another one.
type StoryChanged = Or<(
    Changed<Character>,
    Changed<Place>,
    Changed<Item>,
    Changed<Scene>,
    Changed<Line>,
    Changed<Exit>,
    (With<Scene>, Changed<Children>),
)>;

/// Reads the story when anything in it was added, changed or removed.
pub(crate) fn gather_story(
    told: ComponentStory,
    changed: Query<(), StoryChanged>,
    mut removed: Removed,
    mut new_story: ResMut<NewStory>,
) {
    let any_removed = removed.any();
    if changed.is_empty() && !any_removed && !told.story_meta.is_changed() {
        return;
    }
    if told.scenes.is_empty() {
        return;
    }
    let Ok(story) = told.story();
    new_story.0 = Some(story);
}
