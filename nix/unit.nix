# The [Service] section of a unit in deploy/systemd as `serviceConfig` has it: what is hardened there is hardened here. What starts
# the program is left out, because that is NixOS' to say.
file:
let
  inherit (builtins) elem elemAt filter foldl' head isList isString match split;

  section = head (split "\n[[]Install[]]" (elemAt (split "\n[[]Service[]]\n" (builtins.readFile file)) 2));
  settings = filter isList (map (match "([A-Za-z]+)=(.*)") (filter isString (split "\n" section)));
  notOurs = [
    "Environment"
    "EnvironmentFile"
    "ExecStart"
  ];
  # A key that stands there twice is a list.
  add =
    known: setting:
    let
      key = head setting;
      value = elemAt setting 1;
    in
    known
    // {
      ${key} = if known ? ${key} then (if isList known.${key} then known.${key} else [ known.${key} ]) ++ [ value ] else value;
    };
in
foldl' add { } (filter (setting: !(elem (head setting) notOurs)) settings)
