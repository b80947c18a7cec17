# Derivations that evaluate, and that nobody can build.
{ lib, system }:
let
  derive =
    name: attributes:
    derivation (
      {
        inherit name system;
        builder = "/bin/false";
      }
      // attributes
    );
  program =
    name:
    derive name { }
    // {
      meta.mainProgram = name;
    };
  packages = {
    nodejs_24 = program "node";
    pnpm = program "pnpm";
    makeWrapper = program "make-wrapper";
    nats-server = program "nats-server";
    natscli = program "nats";
    redis = program "redis-server";
    stdenv = {
      hostPlatform = {
        inherit system;
        isAarch64 = system == "aarch64-linux";
      };
      mkDerivation =
        { pname, version, meta, passthru, ... }@attributes:
        derive "${pname}-${version}" (builtins.removeAttrs attributes [ "meta" "passthru" ]) // passthru // { inherit meta; };
    };
    runCommand =
      name: attributes: script:
      derive name (attributes // { inherit script; } // { outputHashAlgo = attributes.outputHashAlgo or ""; });
    linkFarm = name: entries: derive name { entries = builtins.toJSON entries; };
    writeText = name: text: derive name { inherit text; };
    writeShellScript = name: script: derive name { inherit script; };
    mkShell = { packages }: derive "shell" { inherit packages; };
    inherit lib;
    callPackage =
      path: more:
      let
        function = import path;
      in
      function (builtins.intersectAttrs (builtins.functionArgs function) (packages // more));
  };
in
packages
