// What can be set, for people: used by the gateway's settings page and by LuCI's form alike. The service itself
// judges values; types and choices here only help while typing. The long story of each option is in the file
// /etc/config/streamguard.
import { _ } from './i18n.js';

// [name, kind, label, help]; kind: flag, number, time, text, list, or an array of choices.
export const SECTIONS = () => [
	{
		type: 'streamguard', title: _('General'), fixed: 'main', options: [
			['enabled', 'flag', _('Enabled'), '', '1'],
			['mode', ['enforce', 'monitor'], _('Mode'), _('enforce: measure, warn and cut. monitor: only measure.'), 'enforce'],
			['quota', 'number', _('Minutes of video a day'), _('For each device that no profile says otherwise of. 0: no limit.'), '30'],
			['reset_time', 'time', _('A day begins at'), '', '04:00'],
			['warn', 'number', _('Warn so many minutes before'), '', '5'],
			['grace', 'number', _('Minutes to finish a scene'), '', '2'],
			['scope', ['streaming', 'internet'], _('What is cut'), _('streaming: only the video. internet: everything.'), 'streaming'],
			['action', ['reject', 'drop', 'throttle'], _('How it is cut'), '', 'reject'],
			['sensitivity', ['low', 'normal', 'high'], _('Sensitivity'), _('high counts more short and interrupted watching.'), 'normal'],
			['unknown_shared', 'flag', _('Devices without a name share one quota'), _('So that a new random address is no fresh quota.'), '1'],
			['default_profile', 'profile', _('Profile of devices without a name'), ''],
			['learn_days', 'number', _('Days of learning'), _('So long nothing is blocked.'), '0'],
			['interface', 'list', _('Networks'), ''],
			['exempt_service', 'list', _('Services that never count'), _('Domains, one a line.')],
			['exempt_address', 'list', _('Servers that never count'), _('Addresses or networks, one a line.')],
			['names', 'flag', _('Keep names of services in history'), '', '1'],
			['history_days', 'number', _('Days of history'), '', '90'],
		],
	},
	{
		type: 'profile', title: _('Profiles'), one: _('Profile'), many: true, options: [
			['name', 'text', _('Name'), ''],
			['quota', 'number', _('Minutes of video a day'), _('0: no limit.')],
			['quota_day', 'list', _('Other minutes on some days'), _('A day or range and minutes, one a line: sat 60')],
			['allow', 'list', _('Allowed hours'), _('One a line: mon-fri 15:00-20:00. None: always.')],
			['shared', 'flag', _('One quota for all its devices together'), '', '0'],
			['exempt_service', 'list', _('Services that never count'), _('Domains, one a line.')],
		],
	},
	{
		type: 'client', title: _('Devices'), one: _('Device'), many: true, options: [
			['name', 'text', _('Name'), ''],
			['mac', 'list', _('MAC addresses'), _('One a line.')],
			['profile', 'profile', _('Profile'), ''],
			['policy', ['quota', 'exempt', 'deny'], _('Policy'), _('exempt: never limited. deny: no video at all.'), 'quota'],
			['address', 'list', _('Addresses'), _('Only for devices without a MAC address (WireGuard).')],
		],
	},
	{
		type: 'plan', title: _('Data plans'), one: _('Data plan'), many: true, options: [
			['who', 'text', _('For whom'), _('A profile, or a device by name or MAC address.')],
			['period', ['day', 'week', 'month'], _('Period'), '', 'month'],
			['reset_day', 'number', _('Begins on day'), '', '1'],
			['limit', 'text', _('Volume'), _('500M, 50G, 1T')],
			['action', ['throttle', 'block'], _('When it is used up'), '', 'throttle'],
			['network', 'list', _('Only traffic with these networks'), ''],
		],
	},
	{
		type: 'detect', title: _('Attack detection'), fixed: 'detect', options: [
			['enabled', 'flag', _('Enabled'), '', '1'],
			['exempt', 'list', _('Sources that raise no alert'), _('Addresses or networks, one a line.')],
			...DETECTORS.map(([name, label]) => [name, 'flag', label(), '', '1']),
		],
	},
	{
		type: 'notify', title: _('Notifications'), fixed: 'notify', options: [
			['webhook', 'text', _('Web address that hears of each event'), ''],
		],
	},
];

const DETECTORS = [
	['port_scan', () => _('Port scans')], ['host_sweep', () => _('Sweeps over hosts')], ['syn_flood', () => _('SYN floods')],
	['udp_flood', () => _('UDP floods')], ['icmp_flood', () => _('ICMP floods')], ['amplification', () => _('Amplification')],
	['http_flood', () => _('HTTP floods')], ['ssh_brute_force', () => _('Guessing of SSH passwords')],
	['brute_force', () => _('Guessing of other passwords')], ['web_brute_force', () => _('Guessing of web logins')],
	['slowloris', () => _('Slowloris')], ['slow_post', () => _('Slow POST')], ['arp_spoof', () => _('ARP spoofing')],
	['rogue_dhcp', () => _('Foreign DHCP servers')], ['rogue_ra', () => _('Foreign IPv6 routers')],
	['dns_tunnel', () => _('Tunnels in DNS')], ['icmp_tunnel', () => _('Tunnels in ICMP')],
	['ddos_out', () => _('Floods from this house')],
];
