{
  description = "Rebuild projections from NATS JetStream event streams, in parallel, with proof that nothing was lost";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      forEachSystem =
        give:
        lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: give system nixpkgs.legacyPackages.${system});
      tools = import ./nix/tools.nix ./docs/cli.md;
      # An app is a program without arguments: what is a command of `cim-replay` gets one.
      programOf =
        pkgs: package: name: command:
        if builtins.length command == 1 then
          "${package}/bin/${builtins.head command}"
        else
          toString (
            pkgs.writeShellScript name ''exec ${package}/bin/${builtins.concatStringsSep " " command} "$@"''
          );
    in
    {
      packages = forEachSystem (
        _: pkgs: {
          default = pkgs.callPackage ./nix/package.nix { src = self; };
        }
      );

      # `nix run .#domain-replay -- --domain graph`: every tool by its name.
      apps = forEachSystem (
        system: pkgs:
        let
          app = name: command: {
            type = "app";
            program = programOf pkgs self.packages.${system}.default name command;
            meta.description = "The command ${builtins.concatStringsSep " " command}";
          };
        in
        builtins.mapAttrs app tools // { default = app "cim-replay" tools.cim-replay; }
      );

      devShells = forEachSystem (
        _: pkgs: {
          default = pkgs.mkShell {
            packages = [
              pkgs.nodejs_24
              pkgs.pnpm
              pkgs.nats-server
              pkgs.natscli
              pkgs.redis
            ];
          };
        }
      );

      nixosModules.default = import ./nix/module.nix self;

      checks = forEachSystem (
        system: pkgs: {
          package = self.packages.${system}.default;
          # Each app starts, and says how it is used.
          apps = pkgs.runCommand "cim-replay-apps" { } ''
            ${lib.concatMapStrings (app: "${app.program} --help\n") (builtins.attrValues self.apps.${system})}
            touch $out
          '';
          # A machine with workers and a dashboard has the units for it.
          module =
            let
              machine = lib.nixosSystem {
                inherit system;
                modules = [
                  self.nixosModules.default
                  {
                    services.cim-replay = {
                      worker.enable = true;
                      worker.count = 2;
                      dashboard.enable = true;
                    };
                  }
                ];
              };
              units = machine.config.systemd.services;
              starts = map (name: "${name}: ${units.${name}.serviceConfig.ExecStart}\n") [
                "cim-replay-worker-1"
                "cim-replay-worker-2"
                "cim-replay-dashboard"
              ];
            in
            pkgs.writeText "cim-replay-units" (lib.concatStrings starts);
        }
      );
    };
}
