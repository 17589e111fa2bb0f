//! Several statements as one: each call to the server costs more than most statements do.

use crate::session::{Args, Call, Rows, renumber};

/// How many statements one call takes at most.
const AT_ONCE: usize = 16;

/// Cuts a row of statements into calls. The parts of one call all see what was there before it, so a statement that touches a
/// table which one before it changes begins the next call.
pub(super) fn calls<'c>(all: &'c [Call<'c>]) -> Vec<&'c [Call<'c>]> {
    let mut calls = Vec::new();
    let mut rest = all;
    while !rest.is_empty() {
        let fits = |&at: &usize| {
            let Some(next) = rest.get(at) else { return false };
            let before = rest.get(..at).unwrap_or_default();
            at < AT_ONCE && !before.iter().any(|before| next.touches.sees(before.touches))
        };
        let count = (1..).take_while(fits).count() + 1;
        let (now, later) = rest.split_at(count.min(rest.len()));
        calls.push(now);
        rest = later;
    }
    calls
}

/// The statement whose one row has a column for each of `calls`: how many rows it read or changed.
pub(super) fn counted(calls: &[Call<'_>]) -> (String, Args) {
    let (mut sql, args) = parts(calls);
    // Read in this order, and so run in this order: rows are locked as if one statement came after the other.
    for number in 0..calls.len() {
        sql.push_str(if number == 0 { " SELECT " } else { ", " });
        sql.push_str(&format!("(SELECT count(*) FROM s{number})"));
    }
    (sql, args)
}

/// The statement that fails, and so changes nothing, unless each of `calls` reads or changes as many rows as it wants.
pub(super) fn all_or_nothing(calls: &[Call<'_>]) -> (String, Args) {
    let (mut sql, args) = parts(calls);
    sql.push_str(" SELECT 1 / CASE");
    // Each is looked at, whatever it wants, so that they run in this order too. After one that falls short none needs to run.
    for (number, call) in calls.iter().enumerate() {
        sql.push_str(if number == 0 { " WHEN " } else { " AND " });
        let wanted = match call.wants {
            Rows::Any => ">= 0".to_owned(),
            Rows::Exactly(count) => format!("= {count}"),
            Rows::Impossible => "< 0".to_owned(),
        };
        sql.push_str(&format!("(SELECT count(*) FROM s{number}) {wanted}"));
    }
    // What is divided by depends on what the parts come to, so no planner can divide before they ran.
    sql.push_str(" THEN 1 ELSE 0 END");
    (sql, args)
}

/// The parts of a merged statement, each with a name.
fn parts(calls: &[Call<'_>]) -> (String, Args) {
    let mut sql = String::with_capacity(calls.len() * 300);
    let mut args = Args::new();
    for (number, call) in calls.iter().enumerate() {
        sql.push_str(if number == 0 { "WITH " } else { ", " });
        sql.push_str(&format!("s{number} AS ("));
        renumber(call.sql, args.len(), &mut sql);
        sql.push_str(match call.lock {
            Some(lock) => lock.clause(),
            None => " RETURNING 1",
        });
        sql.push(')');
        args.append(call.args);
    }
    (sql, args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Lock, Touches};

    fn call(sql: &'static str, args: &'static Args, touches: Touches) -> Call<'static> {
        Call {
            sql,
            args,
            lock: touches.writes.is_empty().then_some(Lock::Shared),
            wants: if touches.writes.is_empty() {
                Rows::Exactly(1)
            } else {
                Rows::Any
            },
            touches,
        }
    }

    #[test]
    fn statements_share_a_call_until_one_needs_to_see_another() {
        let args: &'static Args = Box::leak(Box::new(Args::new().int(7)));
        let look = call("SELECT 1 FROM a WHERE x = $1", args, Touches::reads("a"));
        let write = call("UPDATE a SET x = $1", args, Touches::writes("a"));
        let other = call("DELETE FROM b WHERE x = $1", args, Touches::writes("b"));
        let all = [look, write, other, look, other, write];
        let cut: Vec<_> = calls(&all).iter().map(|call| call.len()).collect();
        assert_eq!(cut, [3, 3]);
        let parts = "WITH s0 AS (SELECT 1 FROM a WHERE x = $1 FOR SHARE), s1 AS (UPDATE a SET x = $2 RETURNING 1), \
             s2 AS (DELETE FROM b WHERE x = $3 RETURNING 1)";
        let counts = "(SELECT count(*) FROM s0), (SELECT count(*) FROM s1), (SELECT count(*) FROM s2)";
        let (sql, args) = counted(&all[..3]);
        assert_eq!(sql, format!("{parts} SELECT {counts}"));
        assert_eq!(args.len(), 3);
        let met = "(SELECT count(*) FROM s0) = 1 AND (SELECT count(*) FROM s1) >= 0 AND (SELECT count(*) FROM s2) >= 0";
        let (sql, args) = all_or_nothing(&all[..3]);
        assert_eq!(
            sql,
            format!("{parts} SELECT 1 / CASE WHEN {met} THEN 1 ELSE 0 END")
        );
        assert_eq!(args.len(), 3);
    }

    #[test]
    fn a_plain_insert_shares_the_call_of_what_it_replaces() {
        let args: &'static Args = Box::leak(Box::new(Args::new().int(7)));
        let gone = call("DELETE FROM a WHERE x = $1", args, Touches::writes("a"));
        let new = call("INSERT INTO a (x) VALUES ($1)", args, Touches::inserts("a"));
        let cut: Vec<_> = calls(&[gone, new, new, gone])
            .iter()
            .map(|call| call.len())
            .collect();
        assert_eq!(cut, [3, 1]);
    }
}
