# What can be called by name, from the page that a test holds to the table of commands: `## domain-replay` is a program of its own,
# `## cim-replay doctor` a command of the one that has them all. { domain-replay = [ "domain-replay" ]; doctor = [ "cim-replay" "doctor" ]; }
page:
let
  inherit (builtins) filter isList isString;
  lines = filter isString (builtins.split "\n" (builtins.readFile page));
  titles = filter isList (map (builtins.match "## (cim-replay )?([a-z-]+)") lines);
in
builtins.listToAttrs (
  map (
    title:
    let
      name = builtins.elemAt title 1;
    in
    {
      inherit name;
      value = if builtins.head title == null then [ name ] else [ "cim-replay" name ];
    }
  ) titles
)
// {
  cim-replay = [ "cim-replay" ];
}
