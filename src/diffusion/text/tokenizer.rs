//! CLIP's tokenizer: lower case, byte pairs, one start and one end token, a fixed length.

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

use super::clip::ClipTextConfig;
use crate::{
    diffusion::DiffusionError,
    model::{ModelError, Package, package::parse},
    text::without_bom,
};

const START: &str = "<|startoftext|>";
/// The added tokens of the older layout, with their ids.
const ADDED_TOKENS: &str = "tokenizer/added_tokens.json";
const END: &str = "<|endoftext|>";

/// The most chunks of a prompt: 1200 tokens with the usual length of 77.
pub const MAX_CHUNKS: usize = 16;

/// CLIP's pre-tokenizer pattern: the special tokens, English contractions, letters, single digits,
/// anything else.
const PRE_TOKENS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Turns prompts into token ids for [`ClipTextModel`](super::clip::ClipTextModel).
#[derive(Clone, Debug)]
pub struct ClipTokenizer {
    tokenizer: Tokenizer,
    /// The file name for error messages.
    file: String,
    start: u32,
    end: u32,
    pad: u32,
    length: usize,
}

/// The fields of `tokenizer_config.json` and `special_tokens_map.json`.
#[derive(Default, Deserialize)]
struct TokenConfig {
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    pad_token: Option<Token>,
    unk_token: Option<Token>,
    /// Some files write "no limit" as 1e30.
    model_max_length: Option<f64>,
    /// Special and added tokens by their ids. Newer versions of transformers write it.
    #[serde(default)]
    added_tokens_decoder: BTreeMap<u32, Added>,
}

/// A token that training added to the vocabulary, such as the word of a textual inversion.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Added {
    content: String,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    single_word: bool,
}

impl Added {
    fn token(&self) -> AddedToken {
        AddedToken::from(self.content.clone(), false)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized)
            .single_word(self.single_word)
    }
}

/// A token as plain text or as an object with options.
#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Added { content: String },
}

impl Token {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Added { content: text } => text,
        }
    }
}

impl ClipTokenizer {
    /// Loads `tokenizer/tokenizer.json`, or the older pair `vocab.json` and `merges.txt`.
    ///
    /// # Errors
    /// If the files are missing or damaged, or if a special token is not in the vocabulary.
    pub fn load(package: &dyn Package) -> Result<Self, DiffusionError> {
        let optional = |rel: &str| -> Result<TokenConfig, DiffusionError> {
            if package.has(rel) { Ok(parse(package, rel)?) } else { Ok(TokenConfig::default()) }
        };
        let config = optional("tokenizer/tokenizer_config.json")?;
        let map = optional("tokenizer/special_tokens_map.json")?;
        let named = |first: Option<Token>, second: Option<Token>, default: &str| {
            first.or(second).map_or_else(|| default.to_owned(), Token::into_text)
        };
        let start = named(config.bos_token, map.bos_token, START);
        let end = named(config.eos_token, map.eos_token, END);
        let unknown = named(config.unk_token, map.unk_token, END);
        let pad = named(config.pad_token, map.pad_token, &end);

        let mut added = config.added_tokens_decoder;
        if package.has(ADDED_TOKENS) {
            for (content, id) in parse::<HashMap<String, u32>>(package, ADDED_TOKENS)? {
                added.entry(id).or_insert_with(|| Added { content, ..Added::default() });
            }
        }
        let special = [&start, &end, &pad, &unknown];
        added.retain(|_, token| !special.contains(&&token.content));

        let (mut tokenizer, file) = if package.has("tokenizer/tokenizer.json") {
            from_json(package)?
        } else {
            from_vocabulary(package, &unknown, &added)?
        };
        add(&mut tokenizer, &added)
            .map_err(|reason| DiffusionError::Tokenizer { file: file.clone(), reason })?;
        let id = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| DiffusionError::Tokenizer {
                file: file.clone(),
                reason: format!("the token \"{token}\" is not in the vocabulary"),
            })
        };
        let ids = (id(&start)?, id(&end)?, id(&pad)?);
        id(&unknown)?;
        // Special tokens in a prompt are encoded as ordinary text, even the "!" that Stable
        // Diffusion 2 pads with.
        let special = [start, end, pad, unknown].map(|token| AddedToken::from(token, true));
        tokenizer.add_special_tokens(special).map_err(|error| DiffusionError::Tokenizer {
            file: file.clone(),
            reason: error.to_string(),
        })?;
        let (start, end, pad) = ids;
        let positions = if package.has("text_encoder/config.json") {
            parse(package, "text_encoder/config.json")?
        } else {
            ClipTextConfig::default()
        };
        let length = positions.max_position_embeddings;
        // The cast saturates at the integer's limits.
        let length = config.model_max_length.map_or(length, |limit| length.min(limit as usize));
        if length < 2 {
            let reason = format!("a length of {length} has no room for the start and end tokens");
            return Err(DiffusionError::Tokenizer { file, reason });
        }
        Ok(Self { tokenizer, file, start, end, pad, length })
    }

    /// The ids of the beginning of a prompt: start, as much of the text as fits, end, then padding up to
    /// [`Self::length`].
    ///
    /// # Errors
    /// If the tokenizer cannot read the text.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, DiffusionError> {
        let tokens = self.tokens(text)?;
        Ok(self.chunk(tokens.get(..self.length - 2).unwrap_or(&tokens)))
    }

    /// The ids of a prompt of any length, in chunks of [`Self::length`] that each have a start and an end, as compel
    /// divides long prompts. There is at least one chunk, and there are at most [`MAX_CHUNKS`].
    ///
    /// # Errors
    /// If the tokenizer cannot read the text.
    pub fn chunks(&self, text: &str) -> Result<Vec<Vec<u32>>, DiffusionError> {
        let tokens = self.tokens(text)?;
        let room = self.length - 2;
        let most = room * MAX_CHUNKS;
        if tokens.len() > most {
            log::warn!(
                "a prompt has {} tokens, and only the first {most} are used: shorten it",
                tokens.len()
            );
        }
        if tokens.len() <= room || room == 0 {
            return Ok(vec![self.chunk(&tokens[..tokens.len().min(room)])]);
        }
        Ok(tokens.chunks(room).take(MAX_CHUNKS).map(|tokens| self.chunk(tokens)).collect())
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, DiffusionError> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| {
            DiffusionError::Tokenizer { file: self.file.clone(), reason: error.to_string() }
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    fn chunk(&self, tokens: &[u32]) -> Vec<u32> {
        let mut ids = vec![self.start];
        ids.extend(tokens);
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        ids
    }

    /// The number of ids of every chunk.
    pub fn length(&self) -> usize {
        self.length
    }
}

fn from_json(package: &dyn Package) -> Result<(Tokenizer, String), DiffusionError> {
    let rel = "tokenizer/tokenizer.json";
    let file = package.location(rel);
    let broken = |error: tokenizers::Error| DiffusionError::Tokenizer {
        file: file.clone(),
        reason: error.to_string(),
    };
    let mut json = package.json(rel)?;
    check_kinds(&json, &file)?;
    // The library panics at some values of fields that are not used here. Truncation and padding are done here.
    if let Some(fields) = json.as_object_mut() {
        let is_used = |field: &str| {
            ["added_tokens", "model", "normalizer", "pre_tokenizer", "version"].contains(&field)
        };
        fields.retain(|field, _| is_used(field));
    }
    let tokenizer = Tokenizer::from_bytes(json.to_string()).map_err(broken)?;
    Ok((tokenizer, file))
}

/// Checks that the kinds of a tokenizer's parts can be those of CLIP.
fn check_kinds(json: &Value, file: &str) -> Result<(), ModelError> {
    let unsupported = |field: &str, value: &Value, supported: &str| ModelError::Unsupported {
        file: file.to_owned(),
        field: field.to_owned(),
        value: value.to_string(),
        supported: supported.to_owned(),
    };
    if let Some(kind) = json["model"].get("type").filter(|kind| **kind != "BPE") {
        return Err(unsupported("model", kind, "BPE"));
    }
    // The library panics if its table is damaged. It belongs to T5.
    if has_kind(&json["normalizer"], "Precompiled") {
        return Err(unsupported("normalizer", &"Precompiled".into(), "NFC, Replace, Lowercase"));
    }
    Ok(())
}

/// Whether a part of a tokenizer, or a part in it, is of this kind.
fn has_kind(part: &Value, kind: &str) -> bool {
    match part {
        Value::Object(fields) => {
            fields.get("type").is_some_and(|found| found == kind)
                || fields.values().any(|part| has_kind(part, kind))
        }
        Value::Array(parts) => parts.iter().any(|part| has_kind(part, kind)),
        _ => false,
    }
}

/// Adds tokens and checks that they get their ids.
fn add(tokenizer: &mut Tokenizer, added: &BTreeMap<u32, Added>) -> Result<(), String> {
    for (&id, token) in added {
        tokenizer.add_tokens([token.token()]).map_err(|error| error.to_string())?;
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

fn from_vocabulary(
    package: &dyn Package,
    unknown: &str,
    added: &BTreeMap<u32, Added>,
) -> Result<(Tokenizer, String), DiffusionError> {
    let mut vocabulary: HashMap<String, u32> = parse(package, "tokenizer/vocab.json")?;
    // Their ids need not follow those of the vocabulary.
    vocabulary.extend(added.iter().map(|(id, token)| (token.content.clone(), *id)));
    let rel = "tokenizer/merges.txt";
    let file = package.location(rel);
    let broken = |reason: String| DiffusionError::Tokenizer { file: file.clone(), reason };
    let merges = package.file(rel)?;
    let merges = str::from_utf8(without_bom(&merges)).map_err(|error| broken(error.to_string()))?;
    let merges: Vec<(String, String)> = merges
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("#version"))
        .map(|line| match line.split_once(' ') {
            Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
            None => Err(broken(format!("\"{line}\" does not contain two tokens"))),
        })
        .collect::<Result<_, _>>()?;
    let tokenizer = clip(vocabulary.into_iter().collect(), merges, unknown);
    let tokenizer = tokenizer.map_err(|error| broken(error.to_string()))?;
    Ok((tokenizer, file))
}

/// CLIP's tokenization rules for a vocabulary.
fn clip(
    vocabulary: Vocab,
    merges: Vec<(String, String)>,
    unknown: &str,
) -> tokenizers::Result<Tokenizer> {
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .unk_token(unknown.to_owned())
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix("</w>".to_owned())
        .build()?;
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
