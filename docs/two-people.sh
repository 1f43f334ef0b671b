#!/bin/sh
# Two people, from nothing to a shared log over a hub of their own. Runs as it stands:
#   sh docs/two-people.sh          (or TUQUAN=path/to/tuquan sh docs/two-people.sh)
# Each line that starts with `tuquan` is what a person would type.
set -eu
tuquan() { "${TUQUAN:-tuquan}" --lang en "$@"; }

work=$(mktemp -d)
hub=
trap 'if [ -n "$hub" ]; then kill "$hub" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
# Waits until a line that matches is in a file that another program writes, and prints the match.
heard() {
  for _ in $(seq 1 300); do
    if found=$(grep -Eom1 "$2" "$1" 2>/dev/null); then printf '%s\n' "$found"; return 0; fi
    sleep 0.1
  done
  echo "nothing like $2 in $1" >&2
  return 1
}

# A hub, on this machine; on a server it has a settings file and TLS (docs/hub.md).
"${TUQUAN:-tuquan}" --lang en hub --data-dir "$work/hub" --listen 127.0.0.1:0 > "$work/hub.out" 2> "$work/hub.log" &
hub=$!
url=$(heard "$work/hub.out" 'http://[0-9.:]+')

# Lan founds the team and logs what happened.
tuquan --home "$work/lan" init
tuquan --home "$work/lan" log -c hazard -b B2 -p "B2, floor 3" Stair light is out
tuquan --home "$work/lan" log -c lostfound -b B1 Found a student card at the gate
tuquan --home "$work/lan" sync --hub "$url"

# Lan invites Minh, who joins on his own phone and reads six digits out loud.
tuquan --home "$work/lan" invite --role R2 --hub "$url" -o "$work/invitation"
"${TUQUAN:-tuquan}" --lang en --home "$work/minh" join --file "$work/invitation" > "$work/minh.out" &
minh=$!
tuquan --home "$work/lan" admit --file "$work/invitation"
digits=$(heard "$work/minh.out" '[0-9]{6}')
tuquan --home "$work/lan" admit --file "$work/invitation" --digits "$digits"
wait "$minh"
cat "$work/minh.out"

# Minh sees what Lan wrote, and adds to it; Lan sees that.
tuquan --home "$work/minh" list
tuquan --home "$work/minh" log -c noise -b B2 Music after eleven on floor 5
tuquan --home "$work/minh" sync
tuquan --home "$work/lan" sync
tuquan --home "$work/lan" search music
tuquan --home "$work/minh" sync
tuquan --home "$work/lan" status

here=$(tuquan --home "$work/lan" stats --json | grep -o '"view_hash":"[0-9a-f]*"')
there=$(tuquan --home "$work/minh" stats --json | grep -o '"view_hash":"[0-9a-f]*"')
[ "$here" = "$there" ] || { echo "the two logs differ" >&2; exit 1; }
echo "Lan and Minh share one log: $here"
