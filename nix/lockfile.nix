# Packages of a pnpm-lock.yaml that a system needs, each with the SHA-512 that the lockfile pins: [{ name, version, hash }].
# Nix reads no YAML, but the lockfile is written by a program, always in the same form.
{ lockfile, cpu }:
let
  inherit (builtins) elemAt filter genList head length match split;

  text = builtins.readFile lockfile;
  packages = head (split "\nsnapshots:\n" (elemAt (split "\npackages:\n" text) 2));
  # What stands between two entries follows the first of them: where it can be used.
  pieces = split "\n  '?([^ '\n]+)'?:\n    resolution: [{]integrity: ([^},]+)[}]" ("\n" + packages);
  entries = genList (n: {
    key = elemAt (elemAt pieces (2 * n + 1)) 0;
    hash = elemAt (elemAt pieces (2 * n + 1)) 1;
    rest = elemAt pieces (2 * n + 2);
  }) ((length pieces - 1) / 2);

  says = what: { rest, ... }: match ".*\n    ${what}: [[]([^]\n]*)[]].*" rest;
  allows = what: word: entry: says what entry == null || match "(.*, )?${word}(,.*)?" (head (says what entry)) != null;
  isNeeded = entry: allows "cpu" cpu entry && allows "os" "linux" entry && allows "libc" "glibc" entry;

  nameAndVersion = match "(@?[^@]+)@([^(]+)";
in
map (entry: {
  name = head (nameAndVersion entry.key);
  version = elemAt (nameAndVersion entry.key) 1;
  inherit (entry) hash;
}) (filter isNeeded entries)
