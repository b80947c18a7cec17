{
  description = "As much of nixpkgs as the project's flake asks for, to evaluate it where there is no network; it builds nothing";

  outputs =
    { self }:
    let
      lib = import ./lib.nix // {
        nixosSystem =
          { system, modules }:
          {
            config = import ./modules.nix {
              inherit lib modules;
              pkgs = self.legacyPackages.${system};
            };
          };
      };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: import ./packages.nix { inherit lib system; });
    };
}
