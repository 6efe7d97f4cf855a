//! The query builder: whatever names and values it is given, the query has the shape that was built and no other.
#![no_main]
use libfuzzer_sys::fuzz_target;
use twin_core::query::{BinaryOp, Constant, Expr, QueryBuilder, Selection, Source, field_at};

// Lines: a text, an alias, a number, then names.
fuzz_target!(|input: &str| {
    let mut lines = input.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (text, alias, number) = (line(), line(), line().parse().unwrap_or(f64::NAN));
    let names: Vec<&str> = lines.collect();
    let path = || field_at(["tags"].into_iter().chain(names.iter().copied()));
    let built = QueryBuilder::devices()
        .select_as(path(), alias)
        .filter(path().eq(text).or(path().lt(number)).and(path().is_in([text, alias])))
        .build();
    // Empty names, bad characters, too long or too deep: refused, which is fine.
    let Ok(query) = built else { return };
    assert_eq!((query.source, query.top, query.group_by.len()), (Source::Devices, None, 0));
    let Selection::Items(items) = &query.select else { panic!("one item was selected") };
    assert!(items.len() == 1 && items[0].name == alias, "{items:?}");
    let Some(Expr::And(parts)) = &query.condition else { panic!("{:?}", query.condition) };
    let [Expr::Or(either), Expr::Binary(left, BinaryOp::In, right)] = &parts[..] else { panic!("{parts:?}") };
    assert!(matches!(&**left, Expr::Path(p) if p.segments().iter().skip(1).eq(names.iter())), "{left:?}");
    assert!(matches!(&**right, Expr::Constant(Constant::Array(items)) if items.len() == 2), "{right:?}");
    let Expr::Binary(_, BinaryOp::Eq, value) = &either[0] else { panic!("{either:?}") };
    assert_eq!(**value, Expr::Constant(Constant::String(text.to_owned())));
});
