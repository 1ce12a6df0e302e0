use std::{fs, time::Instant};

use serde_json::{Value, json};

use super::*;
use crate::model::{EmbeddedPackage, FolderPackage};

const JSON: &str = "tokenizer/tokenizer.json";
const TEXT_ENCODER: &str = "text_encoder/config.json";

fn built_in() -> ClipTokenizer {
    ClipTokenizer::load(&EmbeddedPackage::built_in()).unwrap()
}

/// The built-in model with a changed `tokenizer.json`.
fn changed(change: impl FnOnce(&mut Value)) -> Result<ClipTokenizer, String> {
    let built_in = EmbeddedPackage::built_in();
    let folder = tempfile::tempdir().unwrap();
    let mut json = built_in.json(JSON).unwrap();
    change(&mut json);
    for part in ["tokenizer", "text_encoder"] {
        fs::create_dir(folder.path().join(part)).unwrap();
    }
    fs::write(folder.path().join("model_index.json"), "{}").unwrap();
    fs::write(folder.path().join(JSON), json.to_string()).unwrap();
    let config = built_in.json(TEXT_ENCODER).unwrap();
    fs::write(folder.path().join(TEXT_ENCODER), config.to_string()).unwrap();
    let package = FolderPackage::open(folder.path()).unwrap();
    ClipTokenizer::load(&package).map_err(|error| error.to_string())
}

#[test]
fn rules_of_other_tokenizers_are_refused_by_name() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 5] = [
        ("Unigram", |json| json["model"]["type"] = "Unigram".into()),
        ("Precompiled", |json| json["normalizer"] = json!({"type": "Precompiled"})),
        ("BertNormalizer", |json| {
            json["normalizer"]["normalizers"][0] = json!({"type": "BertNormalizer"});
        }),
        ("Whitespace", |json| json["pre_tokenizer"] = json!({"type": "Whitespace"})),
        // The library panics: the prefix is longer than the tokens.
        ("xxxxxxxxxx", |json| json["model"]["continuing_subword_prefix"] = "xxxxxxxxxx".into()),
    ];
    for (name, change) in cases {
        let error = changed(change).unwrap_err();
        assert!(error.contains(name) && error.contains("tokenizer.json"), "{error}");
    }
}

#[test]
fn normalizers_of_a_file_are_not_run() {
    // 60 times, each letter becomes two: 2^60 letters.
    let double = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let normalizer = json!({"type": "Sequence", "normalizers": vec![double; 60]});
    let tokenizer = changed(|json| json["normalizer"] = normalizer).unwrap();
    assert_eq!(tokenizer.ids("a cat").unwrap(), built_in().ids("a cat").unwrap());
}

#[test]
fn an_id_beyond_the_table_of_the_text_encoder_is_refused() {
    let error = changed(|json| {
        for id in json["model"]["vocab"].as_object_mut().unwrap().values_mut() {
            *id = (id.as_u64().unwrap() + 100_000).into();
        }
    })
    .unwrap_err();
    assert!(error.contains("id 10") && error.contains("vocab_size"), "{error}");
    // The built-in model has 2432 tokens.
    let added = json!([{"id": 2432, "content": "<new>"}]);
    let error = changed(|json| json["added_tokens"] = added).unwrap_err();
    assert!(error.contains("<new>") && error.contains("2432"), "{error}");
}

#[test]
fn merges_may_be_pairs() {
    let tokenizer = changed(|json| {
        for merge in json["model"]["merges"].as_array_mut().unwrap() {
            if let Some((left, right)) = merge.as_str().and_then(|text| text.split_once(' ')) {
                *merge = json!([left, right]);
            }
        }
    });
    let text = "a lighthouse on a cliff";
    assert_eq!(tokenizer.unwrap().ids(text).unwrap(), built_in().ids(text).unwrap());
}

#[test]
fn pieces_are_the_words_of_a_text() {
    let text = "a  red\nhouse ".repeat(20_000);
    let pieces: Vec<String> = pieces(&text).collect();
    assert!(pieces.iter().all(|piece| piece.len() <= MAX_PIECE));
    assert_eq!(pieces.len(), (12 * 20_000 - 1) / MAX_PIECE + 1);
    assert!(pieces.join(" ").split(' ').eq(text.split_whitespace()));

    let word = "e\u{301}".repeat(50_000);
    let pieces: Vec<String> = super::pieces(&word).collect();
    assert_eq!(pieces.concat(), word);
    assert_eq!(super::pieces(" \n ").count(), 0);
}

#[test]
fn the_beginning_of_a_long_text_decides_its_chunks() {
    let tokenizer = built_in();
    let sentence = "a red house by the sea, at night. ";
    let short = sentence.repeat(MAX_PIECE / sentence.len());
    let chunks = |text: &str| {
        let fragment = Fragment { text: text.to_owned(), weight: 1.0 };
        tokenizer.chunks(&[fragment], MAX_CHUNKS).unwrap()
    };
    let expected = chunks(&short);
    assert_eq!(expected.len(), MAX_CHUNKS);
    for filler in ["b", "\u{1f33a}", " ", "e\u{301}\u{323}"] {
        let long = short.clone() + &filler.repeat(1 << 20);
        assert_eq!(chunks(&long), expected);
    }
    // Only as many tokens as are needed.
    let tokens = tokenizer.tokens(&sentence.repeat(1 << 16), 1200).unwrap();
    assert!(tokens.len() > 1200 && tokens.len() <= MAX_PIECE, "{}", tokens.len());
}

#[test]
fn the_time_for_added_tokens_grows_with_their_number_and_not_with_its_square() {
    // Without the configuration of a text encoder, ids have no limit.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tokenizer")).unwrap();
    fs::write(folder.path().join("model_index.json"), "{}").unwrap();
    let mut json = EmbeddedPackage::built_in().json(JSON).unwrap();
    let token = |n: u32| json!({ "id": 100_000 + n, "content": format!("<token{n}>") });
    json["added_tokens"].as_array_mut().unwrap().extend((0..20_000).map(token));
    fs::write(folder.path().join(JSON), json.to_string()).unwrap();
    let began = Instant::now();
    let tokenizer = ClipTokenizer::load(&FolderPackage::open(folder.path()).unwrap()).unwrap();
    assert_eq!(tokenizer.ids("<token19999>").unwrap()[1], 119_999);
    // One by one, they take minutes.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}
