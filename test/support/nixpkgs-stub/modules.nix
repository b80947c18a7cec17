# One module that has options, and others that set them: what they come to, and what the first makes of it.
{ lib, pkgs, modules }:
let
  inherit (builtins) attrNames foldl' isAttrs isFunction mapAttrs;

  called = map (module: if isFunction module then module { inherit config lib pkgs; } else { config = module; }) modules;
  merge = foldl' (left: right: left // mapAttrs (name: value: if isAttrs value && isAttrs (left.${name} or null) then merge [ left.${name} value ] else value) right) { };
  options = merge (map (module: module.options or { }) called);
  given = merge (map (module: module.config) (builtins.filter (module: !(module ? options)) called));

  resolve =
    path: options: given:
    let
      unknown = builtins.filter (name: !(options ? ${name})) (attrNames given);
    in
    if unknown != [ ] then
      throw "no such option: ${path}${builtins.head unknown}"
    else
      mapAttrs (
        name: option:
        if option._type or "" == "option" then
          let
            value = given.${name} or (option.default or (throw "option ${path}${name} is not set"));
          in
          if !(option ? description) then
            throw "option ${path}${name} has no description"
          else if option.type.check value then
            value
          else
            throw "option ${path}${name} is no ${option.type.name}"
        else
          resolve "${path}${name}." option (given.${name} or { })
      ) options;

  config = resolve "" options given // merge (map (module: module.config) (builtins.filter (module: module ? options) called));
in
config
