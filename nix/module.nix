# services.cim-replay.worker and services.cim-replay.dashboard, hardened as the units in deploy/systemd are.
self:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkEnableOption mkOption optionalAttrs optionals types;

  cfg = config.services.cim-replay;
  hardened = import ./unit.nix (../deploy/systemd + "/cim-replay-worker@.service");

  # JSON is YAML.
  settingsFile = pkgs.writeText "cim-replay.yaml" (builtins.toJSON cfg.settings);

  service =
    description: command: environment: files:
    {
      inherit description;
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      wantedBy = [ "multi-user.target" ];
      # One whose servers are away ends with status 3 and is started again, for as long as it takes.
      startLimitIntervalSec = 0;
      environment = {
        CIM_REPLAY_CONFIG = "${settingsFile}";
        XDG_CACHE_HOME = "%S/cim-replay/.cache";
      }
      // cfg.environment
      // environment;
      serviceConfig = hardened // {
        ExecStart = lib.escapeShellArgs ([ "${cfg.package}/bin/${builtins.head command}" ] ++ builtins.tail command);
        EnvironmentFile = builtins.filter (file: file != null) files;
      };
    };

  worker =
    number:
    service "cim-replay worker ${toString number}" [ "cim-replay-worker" ] {
      CIM_REPLAY_CONCURRENCY = toString cfg.worker.concurrency;
      CIM_REPLAY_METRICS_PORT =
        if cfg.worker.metricsPort == null then "off" else toString (cfg.worker.metricsPort + number - 1);
    } [ cfg.environmentFile ];

  dashboard = cfg.dashboard;
in
{
  options.services.cim-replay = {
    package = mkOption {
      type = types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      defaultText = "the flake's package";
      description = "The package that has the commands.";
    };
    settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = {
        domains.workflow.stream = "HELPDESK";
      };
      description = "What `cim-replay.yaml` holds: docs/configuration.md. Not for secrets: the Nix store is readable by everybody.";
    };
    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        NATS_URL = "nats://nats.example.com:4222";
      };
      description = "Variables of docs/configuration.md, for workers and dashboard. Not for secrets.";
    };
    environmentFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/run/secrets/cim-replay";
      description = "File with further variables, which may hold secrets: REDIS_URL, NATS_PASSWORD. Read by systemd, as root.";
    };

    worker = {
      enable = mkEnableOption "cim-replay workers";
      count = mkOption {
        type = types.ints.positive;
        default = 1;
        description = "How many workers run on this machine.";
      };
      concurrency = mkOption {
        type = types.ints.positive;
        default = 1;
        description = "Units that one worker has at work at a time.";
      };
      metricsPort = mkOption {
        type = types.nullOr types.port;
        default = null;
        example = 9091;
        description = "Port of the first worker's metrics; the others have those after it. null: none.";
      };
    };

    dashboard = {
      enable = mkEnableOption "the cim-replay dashboard";
      host = mkOption {
        type = types.str;
        default = "127.0.0.1";
        description = "Address it listens on. With another than a loopback one it wants a login.";
      };
      port = mkOption {
        type = types.port;
        default = 9092;
        description = "Port it listens on.";
      };
      allowActions = mkOption {
        type = types.bool;
        default = false;
        description = "Whether it lets pause, cancel and submit replays.";
      };
      trustHeader = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "X-Forwarded-User";
        description = "Header in which a reverse proxy names the user.";
      };
      trustProxy = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "10.0.0.0/8";
        description = "Addresses or networks of that proxy, separated by commas. null: this machine's.";
      };
      environmentFile = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "File with CIM_REPLAY_DASHBOARD_USER and CIM_REPLAY_DASHBOARD_PASSWORD. Read by systemd, as root.";
      };
    };
  };

  config.systemd.services =
    optionalAttrs cfg.worker.enable (
      builtins.listToAttrs (
        builtins.genList (n: {
          name = "cim-replay-worker-${toString (n + 1)}";
          value = worker (n + 1);
        }) cfg.worker.count
      )
    )
    // optionalAttrs dashboard.enable {
      cim-replay-dashboard = service "cim-replay dashboard" (
        [
          "cim-replay"
          "dashboard"
          "--host"
          dashboard.host
          "--port"
          (toString dashboard.port)
        ]
        ++ optionals dashboard.allowActions [ "--allow-actions" ]
        ++ optionals (dashboard.trustHeader != null) [
          "--trust-header"
          dashboard.trustHeader
        ]
        ++ optionals (dashboard.trustProxy != null) [
          "--trust-proxy"
          dashboard.trustProxy
        ]
      ) { } [
        cfg.environmentFile
        dashboard.environmentFile
      ];
    };
}
