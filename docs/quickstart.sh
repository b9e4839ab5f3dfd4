#!/usr/bin/env bash
# The main job of ucf, for real, in a folder of its own that is removed at the end: a Jira (the sandbox) is
# connected, probed, listed and read; then a PostgreSQL, if UCF_QUICKSTART_POSTGRES_DSN names one.
set -euo pipefail
ucf=$(realpath "${1:-bin/ucf}")

home=$(mktemp -d)
sandbox=
finish() {
  if [ -n "$sandbox" ]; then kill "$sandbox" 2>/dev/null || true; wait "$sandbox" 2>/dev/null || true; fi
  rm -rf "$home"
}
trap finish EXIT
export XDG_CONFIG_HOME=$home/config XDG_DATA_HOME=$home/data
while IFS= read -r name; do unset "$name"; done < <(compgen -e | grep -E '^(UCF_JIRA_|UCF_POSTGRES_|UCF_TENANT|UCF_DATA_DIR|ENCRYPTION_KEY|MONGODB_)' || true)

show() { printf '\n\033[1m$ ucf %s\033[0m\n' "$*"; "$ucf" "$@" -o table; }

echo "Starting a sandbox that stands in for Jira …"
"$ucf" sandbox --listen 127.0.0.1:0 >"$home/sandbox.out" 2>"$home/sandbox.err" &
sandbox=$!
url=
for _ in $(seq 100); do
  url=$(grep -ohE 'http://127\.0\.0\.1:[0-9]+' "$home/sandbox.out" "$home/sandbox.err" | head -1 || true)
  [ -n "$url" ] && break
  kill -0 "$sandbox" 2>/dev/null || { cat "$home/sandbox.err"; exit 1; }
  sleep 0.1
done

printf '\n\033[1m$ ucf connect jira --set base_url=%s/acme --set api_email=you@example.com --token-stdin\033[0m\n' "$url"
echo sandbox | "$ucf" connect jira --set base_url="$url/acme" --set api_email=you@example.com --token-stdin -o table
show connectors probe jira
show containers jira
first=$("$ucf" containers jira --limit 1 -o json | tr -d ' \n' | sed -E 's/.*"id":"([^"]+)".*/\1/')
show items jira --container "$first" --limit 8
item=$("$ucf" items jira --container "$first" --limit 1 -o json | tr -d '\n' | sed -E 's/.*"key": *"([^"]+)".*/\1/')
show comments jira --item "$item" --limit 3
show audit list --limit 4

if [ -n "${UCF_QUICKSTART_POSTGRES_DSN:-}" ]; then
  printf '\n\033[1m$ ucf connect postgres --config-file -\033[0m\n'
  printf '{"dsn": "%s"}' "$UCF_QUICKSTART_POSTGRES_DSN" | "$ucf" connect postgres --config-file - -o table
  show connectors probe postgres
  show containers postgres --limit 10
  table=$("$ucf" containers postgres --limit 1 -o json -q | tr -d '\n' | sed -nE 's/.*"id":"(([^"\\]|\\.)*)".*/\1/p')
  if [ -n "$table" ] && [ "${table#*\\}" = "$table" ]; then show items postgres --container "$table" --limit 5 || true; fi
elif (exec 3<>/dev/tcp/127.0.0.1/5432) 2>/dev/null; then
  echo; echo "A PostgreSQL answers on 127.0.0.1:5432: set UCF_QUICKSTART_POSTGRES_DSN to see it connected too."
fi
printf '\nThat was the main job. Next: README.md, or `%s connect jira` with a site of your own.\n' "bin/ucf"
