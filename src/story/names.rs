//! The names of a story in one Unicode form.

use super::{Character, Exit, Expression, Item, Line, Moment, Place, Scene, Story};
use crate::text::compose;

impl Story {
    /// The story with composed characters (Unicode normalization form C) in everything that names things and pictures:
    /// ids, references to them, and the time, weather and mood of scenes. Keyboards and file systems differ in whether
    /// they write `é` as one character or as two.
    #[must_use]
    pub fn with_composed_names(mut self) -> Self {
        let Self { start, characters, places, items, scenes, .. } = &mut self;
        compose(start);
        for Character { id, expressions, .. } in characters {
            compose(id);
            expressions.iter_mut().for_each(|Expression { id, .. }| compose(id));
        }
        places.iter_mut().for_each(|Place { id, .. }| compose(id));
        items.iter_mut().for_each(|Item { id, .. }| compose(id));
        scenes.iter_mut().for_each(Scene::compose_names);
        self
    }
}

impl Scene {
    fn compose_names(&mut self) {
        let Self { id, place, time, weather, mood, lines, exits, ending: _ } = self;
        [id, place, time, weather, mood].into_iter().for_each(compose);
        for Line { speaker, expression, moment, item, .. } in lines {
            [speaker, expression, item].into_iter().flatten().for_each(compose);
            moment.iter_mut().for_each(|Moment { id, .. }| compose(id));
        }
        exits.iter_mut().for_each(|Exit { to, .. }| compose(to));
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        recipe::Style,
        story::{Story, check::check, format::ron::parse},
        storyboard::{AuthorWords, ShotId, Storyboard},
    };

    /// A story whose things are named `name`, and referred to by `again`.
    fn uncomposed(name: &str, again: &str) -> Story {
        let text = format!(
            r#"(title: "t", start: "{again}-1",
                characters: [(id: "{name}", name: "x", looks: "a painter", expressions: [(id: "{name}", words: "sad")])],
                places: [(id: "{name}", name: "x", looks: "a bay")],
                items: [(id: "{name}", name: "x", looks: "a key")],
                scenes: [
                    (id: "{name}-1", place: "{again}", time: "{name}", exits: [(to: "{again}-2")], lines: [
                        (speaker: "{again}", text: "x", expression: "{again}", item: "{again}"),
                        (text: "x", moment: (id: "{name}", words: "a boat")),
                    ]),
                    (id: "{again}-2", place: "{name}", time: "{again}"),
                ])"#
        );
        parse(text, "a.story.ron".as_ref()).unwrap()
    }

    fn story(name: &str, again: &str) -> Story {
        uncomposed(name, again).with_composed_names()
    }

    /// é and 한 as one character, and as letters with marks or as single letters (Unicode 16, UAX 15).
    const FORMS: [(&str, &str); 2] =
        [("caf\u{e9}", "cafe\u{301}"), ("\u{d55c}", "\u{1112}\u{1161}\u{11ab}")];

    #[test]
    fn composed_and_decomposed_names_are_the_same() {
        for (composed, decomposed) in FORMS {
            let plain = story(composed, composed);
            assert_eq!(check(&plain), []);
            for other in [story(composed, decomposed), story(decomposed, composed)] {
                assert_eq!(other, plain);
            }
        }
    }

    #[test]
    fn ids_from_code_are_found_in_both_forms() {
        for (composed, decomposed) in FORMS {
            let plan = |story| Storyboard::plan(&story, &Style::default(), &AuthorWords::default());
            let expected = plan(story(composed, composed));
            for (name, id) in
                [(composed, decomposed), (decomposed, composed), (decomposed, decomposed)]
            {
                let story = uncomposed(name, id);
                assert_eq!(check(&story), []);
                assert!(story.character(id).is_some() && story.place(id).is_some());
                assert!(story.scene(&format!("{id}-2")).is_some());
                assert_eq!(story.characters[0].expression_words(id), "sad");
                let board = plan(story);
                assert_eq!(board.shots(), expected.shots());
                assert!(board.background(&format!("{id}-1")).is_some());
                assert!(board.portrait(id, Some(id)).is_some());
                assert!(board.moment(id).is_some() && board.item(id).is_some());
                let shot = ShotId::new(format!("item-{id}")).unwrap();
                assert_eq!(board.shot(&shot), board.item(id));
                let json = format!("\"item-{id}\"");
                assert_eq!(serde_json::from_str::<ShotId>(&json).unwrap(), shot);
            }
        }
    }

    #[test]
    fn hindi_thai_and_korean_names_are_valid_and_part_of_file_names() {
        for name in [
            "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}",
            "\u{e1a}\u{e49}\u{e32}\u{e19}",
            "\u{d55c}\u{ad6d}",
        ] {
            let story = story(name, name);
            assert_eq!(check(&story), [], "{name}");
            let board = Storyboard::plan(&story, &Style::default(), &AuthorWords::default());
            let ids = board.shots().iter().map(|shot| shot.id.as_str()).collect::<Vec<_>>();
            assert!(ids.contains(&format!("item-{name}").as_str()), "{ids:?}");
            assert!(ids.contains(&format!("moment-{name}").as_str()), "{ids:?}");
        }
    }
}
