let
  inherit (builtins) all attrValues isAttrs isBool isInt isList isString;
  optional = type: extra: { _type = "option"; inherit type; } // extra;
  type = name: check: { inherit name check; };
in
rec {
  genAttrs = names: give: builtins.listToAttrs (map (name: { inherit name; value = give name; }) names);
  importJSON = path: builtins.fromJSON (builtins.readFile path);
  mapAttrsToList = give: set: attrValues (builtins.mapAttrs give set);
  concatStrings = builtins.concatStringsSep "";
  concatMapStrings = give: list: concatStrings (map give list);
  optionals = condition: list: if condition then list else [ ];
  optionalAttrs = condition: set: if condition then set else { };
  removePrefix =
    prefix: text:
    let
      found = builtins.match "${prefix}(.*)" text;
    in
    if found == null then text else builtins.head found;
  escapeShellArg = text: if builtins.match "[A-Za-z0-9%+,./:=@_-]+" text != null then text else "'${text}'";
  escapeShellArgs = list: builtins.concatStringsSep " " (map escapeShellArg list);
  getExe = package: "${package}/bin/${package.meta.mainProgram}";
  licenses.asl20.spdxId = "Apache-2.0";
  fetchers.proxyImpureEnvVars = [ "https_proxy" ];

  mkOption = { type, ... }@option: optional type option;
  mkEnableOption = what: optional types.bool { default = false; description = "Whether to enable ${what}."; };
  types = rec {
    anything = type "anything" (_: true);
    bool = type "boolean" isBool;
    str = type "string" isString;
    port = type "port" (value: isInt value && value >= 0 && value < 65536);
    ints.positive = type "positive integer" (value: isInt value && value > 0);
    package = type "package" (value: isAttrs value && value ? outPath);
    nullOr = inner: type "null or ${inner.name}" (value: value == null || inner.check value);
    attrsOf = inner: type "attribute set of ${inner.name}" (value: isAttrs value && all inner.check (attrValues value));
  };
}
