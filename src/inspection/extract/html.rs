//! What a reader of the page would see, roughly. Tokens only and no tree: nesting costs nothing, however deep.

use aggregates::document::InspectionRefusal;
use html5gum::{DefaultEmitter, Token, Tokenizer};

use super::{Bounded, plain};

/// Their content is not text.
const UNSEEN: [&[u8]; 5] = [b"script", b"style", b"template", b"svg", b"noscript"];
/// They do not end a word.
const INLINE: [&[u8]; 15] = [
    b"a", b"abbr", b"b", b"big", b"code", b"em", b"font", b"i", b"mark", b"s", b"small", b"span", b"strong",
    b"u", b"wbr",
];

pub(super) fn extract(bytes: &[u8], text: &mut Bounded) -> Result<(), InspectionRefusal> {
    let html = plain::decode(bytes)?;
    let mut emitter = DefaultEmitter::<()>::default();
    emitter.naively_switch_states(true);
    let mut unseen: Option<Vec<u8>> = None;
    for Ok(token) in Tokenizer::new_with_emitter(html.as_ref(), emitter) {
        match token {
            Token::StartTag(tag) if unseen.is_none() => {
                if UNSEEN.contains(&tag.name.as_slice()) && !tag.self_closing {
                    unseen = Some(tag.name.to_vec());
                }
                end_word(&tag.name, text)?;
            }
            Token::EndTag(tag) => {
                if unseen.as_ref().is_some_and(|name| *name == tag.name.as_slice()) {
                    unseen = None;
                }
                end_word(&tag.name, text)?;
            }
            Token::String(string) if unseen.is_none() => text.push(&String::from_utf8_lossy(&string))?,
            _ => {}
        }
    }
    Ok(())
}

fn end_word(tag: &[u8], text: &mut Bounded) -> Result<(), InspectionRefusal> {
    match tag {
        b"td" | b"th" | b"option" => text.push("\t"),
        _ if INLINE.contains(&tag) => Ok(()),
        _ => text.push("\n"),
    }
}
