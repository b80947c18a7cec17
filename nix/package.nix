# The commands, built from this checkout. Dependencies are the tarballs that pnpm-lock.yaml names, each held to the SHA-512 that
# stands there: there is no hash to keep in step with the lockfile.
{
  lib,
  stdenv,
  runCommand,
  linkFarm,
  makeWrapper,
  nodejs_24,
  pnpm,
  src,
}:
let
  manifest = lib.importJSON (src + "/packages/cli/package.json");
  cpu = if stdenv.hostPlatform.isAarch64 then "arm64" else "x64";
  dependencies = import ./lockfile.nix {
    inherit cpu;
    lockfile = src + "/pnpm-lock.yaml";
  };

  fileOf = { name, version, ... }: "${builtins.replaceStrings [ "/" ] [ "+" ] name}-${version}.tgz";
  # By the npm client, which knows its registry; the hash decides whether it is the right one.
  tarball =
    dependency@{ name, version, hash }:
    runCommand (lib.removePrefix "@" (fileOf dependency)) {
      nativeBuildInputs = [ nodejs_24 ];
      outputHashMode = "flat";
      outputHashAlgo = null;
      outputHash = hash;
      impureEnvVars = lib.fetchers.proxyImpureEnvVars;
      preferLocalBuild = true;
    } ''
      export HOME=$TMPDIR
      mkdir packed
      npm pack --silent --ignore-scripts --pack-destination packed ${lib.escapeShellArg "${name}@${version}"} >/dev/null
      mv packed/*.tgz $out
    '';
  tarballs = linkFarm "cim-replay-dependencies" (
    map (dependency: {
      name = fileOf dependency;
      path = tarball dependency;
    }) dependencies
  );
in
stdenv.mkDerivation {
  pname = "cim-replay";
  inherit (manifest) version;
  inherit src;

  nativeBuildInputs = [
    makeWrapper
    nodejs_24
    pnpm
  ];

  configurePhase = ''
    runHook preConfigure
    export HOME=$TMPDIR CI=true
    # nixpkgs' pnpm does the work, whatever version package.json names.
    export npm_config_manage_package_manager_versions=false
    # The lockfile's hashes were checked when the tarballs came; there is no registry that could be asked for more.
    install() {
      node ${./registry.mjs} ${tarballs} pnpm install --frozen-lockfile --ignore-scripts \
        --config.trust-lockfile=true --store-dir $TMPDIR/store "$@"
      # The Node that comes with the dependencies is linked against what Nix has elsewhere.
      rm -f node_modules/.bin/node
    }
    install
    runHook postConfigure
  '';

  buildPhase = ''
    runHook preBuild
    pnpm --config.verify-deps-before-run=false --recursive run build
    runHook postBuild
  '';

  # Packages find each other through the workspace's links, so it is installed as it lies; without what only builds need.
  installPhase = ''
    runHook preInstall
    rm -rf node_modules packages/*/node_modules
    install --prod
    rm -rf node_modules/node-linux-* node_modules/.pnpm/node-linux-* node_modules/.pnpm-workspace-state*
    mkdir -p $out/lib/cim-replay $out/bin
    cp -r package.json pnpm-workspace.yaml node_modules packages $out/lib/cim-replay/
  ''
  + lib.concatStrings (
    lib.mapAttrsToList (name: file: ''
      makeWrapper ${lib.getExe nodejs_24} $out/bin/${name} --add-flags $out/lib/cim-replay/packages/cli/${file}
    '') manifest.bin
  )
  + ''
    runHook postInstall
  '';

  passthru = { inherit dependencies; };

  meta = {
    inherit (manifest) description;
    license = lib.licenses.asl20;
    mainProgram = "cim-replay";
    platforms = [
      "x86_64-linux"
      "aarch64-linux"
    ];
  };
}
