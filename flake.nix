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
      manifest = builtins.fromJSON (builtins.readFile ./packages/cli/package.json);
    in
    {
      packages = forEachSystem (
        _: pkgs: {
          default = pkgs.stdenv.mkDerivation (finalAttrs: {
            pname = "cim-replay";
            inherit (manifest) version;
            src = self;

            nativeBuildInputs = [
              pkgs.makeWrapper
              pkgs.nodejs_24
              pkgs.pnpm
              pkgs.pnpmConfigHook
            ];
            pnpmDeps = pkgs.fetchPnpmDeps {
              inherit (finalAttrs) pname version src;
              fetcherVersion = 4;
              # Of what pnpm-lock.yaml names. A build with another prints the right one: put it here.
              hash = lib.fakeHash;
            };

            # The Node that comes with the dependencies is linked against what Nix has elsewhere.
            preBuild = "rm -f node_modules/.bin/node";
            buildPhase = ''
              runHook preBuild
              pnpm --recursive run build
              runHook postBuild
            '';

            # Packages find each other through the workspace's links, so it is installed as it lies.
            installPhase = ''
              runHook preInstall
              mkdir -p $out/lib/cim-replay $out/bin
              cp -r package.json pnpm-workspace.yaml node_modules packages $out/lib/cim-replay/
            ''
            + lib.concatStrings (
              lib.mapAttrsToList (name: file: ''
                makeWrapper ${lib.getExe pkgs.nodejs_24} $out/bin/${name} \
                  --add-flags $out/lib/cim-replay/packages/cli/${file}
              '') manifest.bin
            )
            + ''
              runHook postInstall
            '';

            meta = {
              inherit (manifest) description;
              license = lib.licenses.asl20;
              mainProgram = "cim-replay";
            };
          });
        }
      );

      apps = forEachSystem (
        system: _:
        let
          app = name: {
            type = "app";
            program = "${self.packages.${system}.default}/bin/${name}";
          };
        in
        builtins.mapAttrs (name: _: app name) manifest.bin // { default = app "cim-replay"; }
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
    };
}
