//! The vocabulary of a tokenizer of byte pairs, from `tokenizer.json` or from the older pair `vocab.json` and `merges.txt`.
//!
//! `tokenizer.json` can describe any tokenizer, even one that needs more memory than exists. Only the vocabulary is read
//! from it, and the rules are always those of CLIP or of Qwen.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;
use tokenizers::{
    AddedToken, SplitDelimiterBehavior, Tokenizer,
    models::bpe::{BPE, Vocab},
    normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern},
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence as PreTokenizers,
        split::{Split, SplitPattern},
    },
};

use crate::{
    diffusion::DiffusionError,
    model::{ModelError, Package, package::parse},
    text::without_bom,
};

/// CLIP's pre-tokenizer pattern: the special tokens, English contractions, letters, single digits,
/// anything else.
const PRE_TOKENS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Qwen's pattern: English contractions, letters with a sign before them, single digits, other signs with a space before
/// them and the line ends after them, line ends, and blanks.
const QWEN_PRE_TOKENS: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// The tokens of a tokenizer, and the pairs that are merged.
pub(in crate::diffusion::text) struct Vocabulary {
    ids: HashMap<String, u32>,
    merges: Vec<(String, String)>,
    /// The token for unknown signs.
    unknown: Option<String>,
    /// The end of the tokens that end a word.
    suffix: Option<String>,
    /// Added tokens by their ids, which need not follow those of the vocabulary.
    pub(in crate::diffusion::text) added: BTreeMap<u32, Added>,
}

/// A token that training added to the vocabulary, such as the word of a textual inversion.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::diffusion::text) struct Added {
    pub(in crate::diffusion::text) content: String,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    single_word: bool,
}

impl Added {
    /// A token without options.
    pub(in crate::diffusion::text) fn new(content: String) -> Self {
        Self { content, ..Self::default() }
    }

    fn token(&self) -> AddedToken {
        AddedToken::from(self.content.clone(), false)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized)
            .single_word(self.single_word)
    }
}

/// The used fields of `tokenizer.json`.
#[derive(Deserialize)]
struct TokenizerFile {
    model: ModelFile,
    #[serde(default)]
    added_tokens: Vec<AddedFile>,
}

#[derive(Deserialize)]
struct ModelFile {
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    unk_token: Option<String>,
    end_of_word_suffix: Option<String>,
}

#[derive(Deserialize)]
struct AddedFile {
    id: u32,
    #[serde(flatten)]
    token: Added,
}

/// Two tokens that become one. Older files write them as one text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Text(String),
}

impl Vocabulary {
    /// Reads a `tokenizer.json`. Returns its location, too.
    ///
    /// # Errors
    /// If it is damaged, or if it is not the tokenizer of a CLIP model.
    pub(in crate::diffusion::text) fn from_json(
        package: &dyn Package,
        file: &str,
    ) -> Result<(Self, String), DiffusionError> {
        let json = package.json(file)?;
        let file = package.location(file);
        check_kinds(&json, &file)?;
        let read = serde_json::from_value(json);
        let TokenizerFile { model, added_tokens } =
            read.map_err(|source| ModelError::Json { file: file.clone(), source })?;
        let ModelFile { vocab: mut ids, merges, unk_token: unknown, end_of_word_suffix } = model;
        let merges = merges.into_iter().map(|merge| match merge {
            Merge::Pair(left, right) => Ok((left, right)),
            Merge::Text(text) => pair(&text),
        });
        let merges = merges.collect::<Result<_, _>>();
        let merges =
            merges.map_err(|reason| DiffusionError::Tokenizer { file: file.clone(), reason })?;
        let mut added = BTreeMap::new();
        for AddedFile { id, token } in added_tokens {
            ids.entry(token.content.clone()).or_insert(id);
            added.insert(id, token);
        }
        Ok((Self { ids, merges, unknown, suffix: end_of_word_suffix, added }, file))
    }

    /// Reads `vocab.json` and `merges.txt` in a folder. Returns the location of `merges.txt`, too.
    ///
    /// # Errors
    /// If one of them is missing or damaged.
    pub(in crate::diffusion::text) fn from_files(
        package: &dyn Package,
        folder: &str,
        unknown: &str,
    ) -> Result<(Self, String), DiffusionError> {
        let ids = parse(package, &format!("{folder}/vocab.json"))?;
        let rel = format!("{folder}/merges.txt");
        let file = package.location(&rel);
        let broken = |reason| DiffusionError::Tokenizer { file: file.clone(), reason };
        let merges = package.file(&rel)?;
        let merges =
            str::from_utf8(without_bom(&merges)).map_err(|error| broken(error.to_string()))?;
        let lines = merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version"));
        let merges = lines.map(pair).collect::<Result<_, _>>().map_err(broken)?;
        let (unknown, suffix) = (Some(unknown.to_owned()), Some("</w>".to_owned()));
        Ok((Self { ids, merges, unknown, suffix, added: BTreeMap::new() }, file))
    }

    /// Checks that each id is a row of the text encoder's table, whose number of rows is in the file `config`.
    ///
    /// # Errors
    /// The reason, with the token of the largest id.
    pub(in crate::diffusion::text) fn check_ids(
        &self,
        rows: usize,
        config: &str,
    ) -> Result<(), String> {
        let added = self.added.iter().map(|(id, token)| (*id, &token.content));
        let largest = self.ids.iter().map(|(token, id)| (*id, token)).chain(added).max();
        match largest {
            Some((id, token)) if id as usize >= rows => Err(format!(
                "the token {token:?} has the id {id}, but the text encoder has only {rows} tokens \
                 (`vocab_size` in {config}): use the tokenizer of this text encoder"
            )),
            _ => Ok(()),
        }
    }

    /// A tokenizer with Qwen's rules.
    ///
    /// # Errors
    /// The reason, if the vocabulary has no token for a merge, or if the id of an added token differs.
    pub(in crate::diffusion::text) fn qwen(self) -> Result<Tokenizer, String> {
        let Self { mut ids, merges, added, .. } = self;
        ids.extend(added.iter().map(|(id, token)| (token.content.clone(), *id)));
        let tokenizer = qwen(ids.into_iter().collect(), merges);
        let mut tokenizer = tokenizer.map_err(|error| error.to_string())?;
        add(&mut tokenizer, &added)?;
        Ok(tokenizer)
    }

    /// A tokenizer with CLIP's rules.
    ///
    /// # Errors
    /// The reason, if the vocabulary has no token for a merge or for unknown signs, or if the id of an added token differs.
    pub(in crate::diffusion::text) fn tokenizer(self) -> Result<Tokenizer, String> {
        let Self { mut ids, merges, unknown, suffix, added } = self;
        ids.extend(added.iter().map(|(id, token)| (token.content.clone(), *id)));
        if let Some(unknown) = unknown.as_ref().filter(|unknown| !ids.contains_key(*unknown)) {
            return Err(format!("the token {unknown:?} is not in the vocabulary"));
        }
        let tokenizer = clip(ids.into_iter().collect(), merges, unknown, suffix);
        let mut tokenizer = tokenizer.map_err(|error| error.to_string())?;
        add(&mut tokenizer, &added)?;
        Ok(tokenizer)
    }
}

/// Qwen's tokenization rules for a vocabulary.
fn qwen(vocabulary: Vocab, merges: Vec<(String, String)>) -> tokenizers::Result<Tokenizer> {
    let model = BPE::builder().vocab_and_merges(vocabulary, merges).build()?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(NFC))?;
    let words = SplitPattern::Regex(QWEN_PRE_TOKENS.to_owned());
    let words = Split::new(words, SplitDelimiterBehavior::Isolated, false)?;
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![
        PreTokenizerWrapper::Split(words),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false)),
    ])));
    Ok(tokenizer)
}

/// The two tokens of a merge.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once(' ') {
        Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
        None => Err(format!("{text:?} does not contain two tokens")),
    }
}

/// Checks that the kinds of a tokenizer's parts are those of CLIP.
fn check_kinds(json: &Value, file: &str) -> Result<(), ModelError> {
    let check = |field: &str, value: Option<&Value>, supported: &[&str]| {
        let Some(kind) = value.filter(|kind| !supported.iter().any(|it| **kind == **it)) else {
            return Ok(());
        };
        Err(ModelError::Unsupported {
            file: file.to_owned(),
            field: field.to_owned(),
            value: kind.to_string(),
            supported: supported.join(", "),
        })
    };
    check("model", json["model"].get("type"), &["BPE"])?;
    let prefix = json["model"].get("continuing_subword_prefix").filter(|it| !it.is_null());
    check("continuing_subword_prefix", prefix, &[""])?;
    for (field, parts, supported) in [
        ("normalizer", "normalizers", &["NFC", "Replace", "Lowercase"][..]),
        ("pre_tokenizer", "pretokenizers", &["Split", "ByteLevel"]),
    ] {
        let part = &json[field];
        if part.get("type").is_some_and(|kind| kind == "Sequence") {
            for part in part[parts].as_array().into_iter().flatten() {
                check(field, part.get("type"), supported)?;
            }
        } else {
            check(field, part.get("type"), supported)?;
        }
    }
    Ok(())
}

/// Adds tokens and checks that they get their ids.
fn add(tokenizer: &mut Tokenizer, added: &BTreeMap<u32, Added>) -> Result<(), String> {
    // All at once: the tokenizer builds its table of added tokens again in each call.
    let tokens = added.values().map(Added::token);
    tokenizer.add_tokens(tokens).map_err(|error| error.to_string())?;
    for (&id, token) in added {
        let found = tokenizer.token_to_id(&token.content);
        if found != Some(id) {
            let found = found.map_or_else(|| "none".to_owned(), |id| id.to_string());
            let content = &token.content;
            return Err(format!(
                "the added token \"{content}\" must have the id {id}, but has {found}"
            ));
        }
    }
    Ok(())
}

/// CLIP's tokenization rules for a vocabulary.
fn clip(
    vocabulary: Vocab,
    merges: Vec<(String, String)>,
    unknown: Option<String>,
    suffix: Option<String>,
) -> tokenizers::Result<Tokenizer> {
    let mut model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .continuing_subword_prefix(String::new());
    if let Some(unknown) = unknown {
        model = model.unk_token(unknown);
    }
    if let Some(suffix) = suffix {
        model = model.end_of_word_suffix(suffix);
    }
    let model = model.build()?;
    let mut tokenizer = Tokenizer::new(model);
    let blanks = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    tokenizer.with_normalizer(Some(Normalizers::new(vec![
        NFC.into(),
        blanks.into(),
        Lowercase.into(),
    ])))?;
    let words = SplitPattern::Regex(PRE_TOKENS.to_owned());
    let words = Split::new(words, SplitDelimiterBehavior::Removed, true)?;
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![
        PreTokenizerWrapper::Split(words),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true)),
    ])));
    Ok(tokenizer)
}
